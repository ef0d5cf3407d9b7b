// Crafted packets over real interfaces: the nodes forward them, and the receiving kernel answers them.
import t from 'tap';
import { ClusterNetwork } from '../../lab/cluster/cluster-network.ts';
import { echo, fragments, packet, segmentOf, tcp, udp, unreachable } from '../../lab/programs/packet.ts';
import { RawPeer } from '../../lab/programs/raw-peer.ts';
import { podNamespace } from '../../lab/system/names.ts';
import { run } from '../../lab/system/run.ts';
import type { Place } from '../../lab/topology/places.ts';
import { readTopology } from '../../lab/topology/topology.ts';
import type { Address } from '../../model/address.ts';
import { ICMP, TCP, UDP } from '../../model/protocol.ts';
import { withoutNamespaces } from '../scene/pod-link.ts';
import { until } from '../scene/until.ts';

const skip = withoutNamespaces;
const topology = new URL('accounting.yaml', import.meta.url).pathname;
const batch: Place = { kind: 'pod', namespace: 'shop', name: 'batch-0' };

t.test('crafted packets in a lab', { skip }, async (t) => {
  const network = new ClusterNetwork((await readTopology(topology)).topology);
  t.teardown(() => network.down());
  await network.up();
  const addressOf = (name: string): Address =>
    network.world.cluster.pods.find((pod) => pod.name === name)!.addresses[0]!;
  const own = addressOf('batch-0');
  const db = addressOf('db-0');
  const peer = await RawPeer.start(network.world, batch);
  t.teardown(() => peer.kill());
  let port = 30_000;

  /** A new source port, and the packets that arrive there. */
  const watch = async (protocol: number): Promise<{ port: number; answers: Buffer[] }> => {
    port += 1;
    const answers: Buffer[] = [];
    await peer.watch({ protocol, port }, (ip) => answers.push(ip));
    return { port, answers };
  };

  /** Packets that the pod's interface has sent, as its kernel counts them. */
  const sentBy = async (name: string): Promise<number> => {
    const namespace = podNamespace(network.id, { namespace: 'shop', name });
    const links = JSON.parse(await run('ip', ['-n', namespace, '-j', '-s', 'link', 'show', 'dev', 'eth0'])) as {
      stats64: { tx: { packets: number } };
    }[];
    return links[0]!.stats64.tx.packets;
  };

  await t.test('the kernel of another pod answers a SYN, and accepts the data after it', async (t) => {
    const { port, answers } = await watch(TCP);
    await peer.silenceKernel('tcp', port);
    await peer.send([packet(own, db, tcp(port, 5432, 'S', { sequence: 77 }))]);
    await until('a SYN-ACK arrives', () => answers.length > 0);
    const synAck = segmentOf(answers[0]!)!;
    t.match(synAck, { source: db, destinationPort: port, flags: 'SA', acknowledged: 78 });
    const traits = { sequence: 78, acknowledged: synAck.sequence + 1 };
    const payload = Buffer.from('hello');
    await peer.send([
      packet(own, db, tcp(port, 5432, 'A', traits)),
      packet(own, db, tcp(port, 5432, 'PA', { ...traits, payload })),
    ]);
    await until('the data is acknowledged', () => answers.some((ip) => segmentOf(ip)!.acknowledged === 83));
  });

  await t.test('a SYN in two fragments arrives as one', async (t) => {
    const { port, answers } = await watch(TCP);
    await peer.silenceKernel('tcp', port);
    await peer.send(fragments(own, db, tcp(port, 5432, 'S', { sequence: 5 }), 900, 8));
    await until('a SYN-ACK arrives', () => answers.length > 0);
    t.match(segmentOf(answers[0]!), { flags: 'SA', acknowledged: 6 });
  });

  await t.test('the answer to a forged source address goes to its owner', async (t) => {
    const owner = await RawPeer.start(network.world, { kind: 'pod', namespace: 'shop', name: 'web-0' });
    t.teardown(() => owner.kill());
    const answers: Buffer[] = [];
    await owner.watch({ protocol: TCP, port: 30_500 }, (ip) => answers.push(ip));
    await peer.send([packet(addressOf('web-0'), db, tcp(30_500, 5432, 'S'))]);
    await until('the owner gets a SYN-ACK', () => answers.length > 0);
    t.match(segmentOf(answers[0]!), { source: db, flags: 'SA' });
  });

  await t.test('another pod answers UDP of an odd length, and an echo request', async (t) => {
    const { port, answers } = await watch(UDP);
    await peer.watch({ protocol: ICMP }, (ip) => answers.push(ip));
    await peer.send([packet(own, db, udp(port, 5353, Buffer.from('odd')))]);
    await until('a datagram arrives', () => answers.some((ip) => ip[9] === UDP));
    await peer.send([packet(own, db, echo(7, Buffer.from('ping')))]);
    await until('an echo reply arrives', () => answers.some((ip) => ip[9] === ICMP && ip[20] === 0));
    t.equal(answers.length, 2);
  });

  await t.test('a forged ICMP error reaches the socket that it names', async (t) => {
    await peer.silenceKernel('udp', 20_001);
    const quoted = packet(db, own, udp(9, 20_001, Buffer.alloc(4)));
    const dialed = network
      .peerAt({ kind: 'pod', namespace: 'shop', name: 'db-0' })
      .dial({ address: own, port: 20_001, protocol: 'UDP', bytes: 4, timeoutMs: 10_000, sourcePort: 9 });
    const sending = setInterval(() => void peer.send([packet(own, db, unreachable(3, quoted))]), 50);
    t.match(await dialed, { outcome: 'refused' });
    clearInterval(sending);
  });

  await t.test('a flood of SYNs leaves the pod', async (t) => {
    const before = await sentBy('batch-0');
    await peer.synFlood({ source: own, count: 500, perSecond: 0 });
    t.ok((await sentBy('batch-0')) - before >= 500);
  });
});
