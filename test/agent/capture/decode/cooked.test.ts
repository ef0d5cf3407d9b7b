import t from 'tap';
import { linkTypes } from '../../../../agent/capture/decode/link-type.ts';
import { decoded } from '../../../scene/decoded.ts';
import { arp, cooked, cooked2, ip4, ip6, tagged, tcp } from '../../../scene/packets.ts';

const four = ip4('10.0.1.2', '10.0.2.3', tcp(40000, 80));
const six = ip6('fd00::2', 'fd00::3', tcp(40000, 80));
const first = { linkType: linkTypes.cooked };
const second = { linkType: linkTypes.cooked2 };

t.test('Linux cooked headers of both versions are decoded', async (t) => {
  t.match(decoded(cooked(four), first), { as: 'packet', tuple: 'TCP 10.0.1.2:40000 -> 10.0.2.3:80' });
  t.match(decoded(cooked(tagged(six)), first), { as: 'packet', tuple: 'TCP [fd00::2]:40000 -> [fd00::3]:80' });
  t.match(decoded(cooked2(six), second), { as: 'packet', tuple: 'TCP [fd00::2]:40000 -> [fd00::3]:80' });
  t.equal(decoded(cooked(arp()), first).as, 'not-ip');
  t.equal(decoded(cooked2(arp()), second).as, 'not-ip');
});

t.test('the second version names the interface', async (t) => {
  t.equal(decoded(cooked(four), first).interfaceIndex, 0);
  t.equal(decoded(cooked2(four, 70_000), second).interfaceIndex, 70_000);
});

t.test('a frame that ends within its cooked header is corrupt', async (t) => {
  t.equal(decoded(cooked(four).subarray(0, 15), first).as, 'corrupt');
  t.equal(decoded(cooked2(four).subarray(0, 19), second).as, 'corrupt');
});
