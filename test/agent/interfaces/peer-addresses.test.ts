import t from 'tap';
import { globalAddressOf } from '../../../agent/interfaces/peer-addresses.ts';

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
