import { execFileSync } from 'node:child_process';
import t from 'tap';
import { globalAddressOf, linkAddressOf } from '../../../agent/interfaces/peer-addresses.ts';
import { podAddress, podLink, withoutNamespaces } from '../../scene/pod-link.ts';

const [inet, inet6] = [2, 10];
const [address, local] = [1, 2];
const [universe, link] = [0, 253];

/** struct ifaddrmsg, then attributes. */
function newAddress(family: number, scope: number, ...attributes: [type: number, value: number[]][]): Buffer {
  const bytes = attributes.flatMap(([type, value]) => [4 + value.length, 0, type, 0, ...value]);
  return Buffer.from([family, 24, 0, scope, 1, 0, 0, 0, ...bytes]);
}

t.test('the address is the interface’s own, also on a point-to-point link', async (t) => {
  t.equal(globalAddressOf(newAddress(inet, universe, [address, [10, 0, 0, 7]])), '10.0.0.7');
  const [peer, own]: [number, number[]][] = [
    [address, [10, 0, 0, 9]],
    [local, [10, 0, 0, 7]],
  ];
  t.equal(globalAddressOf(newAddress(inet, universe, peer!, own!)), '10.0.0.7');
  t.equal(globalAddressOf(newAddress(inet, universe, own!, peer!)), '10.0.0.7');
  t.equal(globalAddressOf(newAddress(inet6, universe, [address, [0xfd, ...Array(14).fill(0), 7]])), 'fd00::7');
});

t.test('addresses of another scope or family, and incomplete ones, are ignored', async (t) => {
  t.equal(globalAddressOf(newAddress(inet6, link, [address, [0xfe, 0x80, ...Array(13).fill(0), 7]])), undefined);
  t.equal(globalAddressOf(newAddress(28, universe, [address, [10, 0, 0, 7]])), undefined);
  t.equal(globalAddressOf(newAddress(inet, universe, [address, [10, 0]])), undefined);
  t.equal(globalAddressOf(newAddress(inet, universe)), undefined);
});

/** Reached through the pod's link. */
const insideAddress = '10.88.0.9';

/** struct ifinfomsg, then attributes. */
function newLink(flags: number, ...attributes: [type: number, value: number[]][]): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(flags, 8);
  const bytes = attributes.flatMap(([type, value]) => {
    const padding = Array(-(value.length + 4) & 3).fill(0);
    return [4 + value.length, 0, type, 0, ...value, ...padding];
  });
  return Buffer.concat([head, Buffer.from(bytes)]);
}

t.test('a link without ARP, with zeros or with another kind of address has no link address', async (t) => {
  const [mtu, broadcast] = [4, 2];
  const own: [number, number[]] = [address, [2, 0, 0, 0, 0, 7]];
  const message = newLink(0, [mtu, [0, 0, 0, 0]], own, [broadcast, [255, 255, 255, 255, 255, 255]]);
  t.equal(linkAddressOf(message)?.toString('hex'), '020000000007');
  const noArp = 0x80;
  t.equal(linkAddressOf(newLink(noArp, own)), undefined);
  t.equal(linkAddressOf(newLink(0, [address, [0, 0, 0, 0, 0, 0]])), undefined);
  t.equal(linkAddressOf(newLink(0, [address, [10, 0, 0, 7]])), undefined);
});

t.test('the link address and the addresses in a pod are read from its node', { skip: withoutNamespaces }, async (t) => {
  const { onNode, inPod } = podLink(t);
  const run = (words: readonly string[]) => execFileSync(words[0]!, words.slice(1), { timeout: 10_000 });
  // A second network leaves the pod by an interface without a side on the node.
  run([...onNode, 'ip', 'link', 'add', 'uplink', 'type', 'bridge']);
  run([...onNode, 'ip', 'link', 'add', 'net1', 'link', 'uplink', 'type', 'macvlan']);
  run([...onNode, 'ip', 'link', 'set', 'net1', 'netns', inPod.at(-1)!.replace('--net=/run/netns/', '')]);
  run([...inPod, 'ip', 'link', 'add', 'inside', 'type', 'bridge']);
  for (const [link, address] of [
    ['net1', '10.77.0.9'],
    ['inside', insideAddress],
  ])
    run([...inPod, 'ip', 'address', 'add', `${address}/24`, 'dev', link!]);
  const script = new URL('read-pod-addresses.ts', import.meta.url).pathname;
  const [program, ...words] = [...onNode, process.execPath, script];
  const { read, linkAddress } = JSON.parse(execFileSync(program!, words, { timeout: 10_000 }).toString());
  t.match(linkAddress, /^[0-9a-f]{12}$/);
  t.same(read, [{ name: 'veth0', linkAddress, addresses: [insideAddress, podAddress] }]);
});
