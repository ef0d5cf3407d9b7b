import t from 'tap';
import { decoded } from '../../../scene/decoded.ts';
import { arp, ethernet, ip4, ip6, join, tagged, tcp, u8, u16 } from '../../../scene/packets.ts';

const four = ip4('10.0.1.2', '10.0.2.3', tcp(40000, 80));
const six = ip6('fd00::2', 'fd00::3', tcp(40000, 80));
const fourTuple = 'TCP 10.0.1.2:40000 -> 10.0.2.3:80';
const sixTuple = 'TCP [fd00::2]:40000 -> [fd00::3]:80';

t.test('the EtherType decides between IPv4 and IPv6', async (t) => {
  t.match(decoded(ethernet(four)), { as: 'packet', tuple: fourTuple });
  t.match(decoded(ethernet(six)), { as: 'packet', tuple: sixTuple });
});

t.test('802.1Q, QinQ and older stacked tags are skipped', async (t) => {
  t.match(decoded(ethernet(tagged(four))), { as: 'packet', tuple: fourTuple });
  t.match(decoded(ethernet(tagged(tagged(six), 0x88a8))), { as: 'packet', tuple: sixTuple });
  t.match(decoded(ethernet(tagged(tagged(tagged(four)), 0x9100))), { as: 'packet', tuple: fourTuple });
});

t.test('frames without IP are ignored: ARP, an 802.3 length, a tag before ARP', async (t) => {
  t.equal(decoded(ethernet(arp())).as, 'not-ip');
  t.equal(decoded(ethernet(tagged(arp()))).as, 'not-ip');
  t.equal(decoded(ethernet({ etherType: 46, bytes: Buffer.alloc(46) })).as, 'not-ip');
});

t.test('a frame that ends within its header or a tag is corrupt', async (t) => {
  t.equal(decoded(Buffer.alloc(0)).as, 'corrupt');
  t.equal(decoded(ethernet(four).subarray(0, 13)).as, 'corrupt');
  t.equal(decoded(ethernet(tagged(four)).subarray(0, 17)).as, 'corrupt');
});

t.test('a frame with tags only is corrupt', async (t) => {
  const tags = Buffer.concat(Array.from({ length: 5000 }, () => u16(0x8100, 1)));
  t.equal(decoded(join(u8(...Buffer.alloc(12)), tags)).as, 'corrupt');
});

t.test('a packet counts the bytes of its frame on the wire, even if fewer were captured', async (t) => {
  const frame = ethernet(ip4('10.0.1.2', '10.0.2.3', tcp(40000, 80, 'A', { payload: 1000 })));
  t.match(decoded(frame.subarray(0, 96), { length: frame.length }), { as: 'packet', bytes: 14 + 20 + 20 + 1000 });
});
