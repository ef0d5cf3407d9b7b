import t from 'tap';
import { Fragments } from '../../../../agent/capture/decode/fragments.ts';
import { decoded } from '../../../scene/decoded.ts';
import { ethernet, type Ip4Traits, icmp, ip4, join, middle, tcp, u8, udp } from '../../../scene/packets.ts';

const tuple = 'UDP 10.0.1.2:40000 -> 10.0.2.3:53';
const whole = udp(40000, 53, 2000);

/** The part of `whole` from `offset` on. */
function part(offset: number, length: number, traits: Ip4Traits = {}): Buffer {
  const body = { protocol: 17, bytes: whole.bytes.subarray(offset, offset + length) };
  return ethernet(ip4('10.0.1.2', '10.0.2.3', body, { id: 77, offset, more: true, ...traits }));
}

t.test('options between header and payload are skipped', async (t) => {
  for (const options of [0, 4, 40]) {
    t.match(decoded(ethernet(ip4('10.0.1.2', '10.0.2.3', whole, { options }))), { as: 'packet', tuple });
  }
});

t.test('the padding of a short frame is not part of the packet', async (t) => {
  const short = ip4('10.0.1.2', '10.0.2.3', { protocol: 6, bytes: tcp(40000, 80).bytes.subarray(0, 19) });
  t.equal(decoded(join(ethernet(short), 7)).as, 'corrupt');
});

t.test('with a total length of 0 (segmentation offload), the packet is as long as its frame', async (t) => {
  t.match(decoded(ethernet(ip4('10.0.1.2', '10.0.2.3', whole, { totalLength: 0 }))), { as: 'packet', tuple });
});

t.test('a header that contradicts itself is corrupt', async (t) => {
  const sound = ethernet(ip4('10.0.1.2', '10.0.2.3', whole));
  const changed = (at: number, value: number) => {
    const frame = Buffer.from(sound);
    frame[14 + at] = value;
    return decoded(frame).as;
  };
  t.equal(changed(0, 0x44), 'corrupt', 'a header of 16 bytes');
  t.equal(changed(0, 0x65), 'corrupt', 'version 6 after the EtherType of IPv4');
  t.equal(decoded(ethernet(ip4('10.0.1.2', '10.0.2.3', whole, { totalLength: 19 }))).as, 'corrupt');
  t.equal(decoded(ethernet(ip4('10.0.1.2', '10.0.2.3', whole, { totalLength: 24 }))).as, 'corrupt');
});

t.test('a packet of a protocol without ports is decoded', async (t) => {
  const gre = { protocol: 47, bytes: u8(0, 0, 0, 0) };
  t.match(decoded(ethernet(ip4('10.0.1.2', '10.0.2.3', gre))), { as: 'packet', tuple: '47 10.0.1.2:0 -> 10.0.2.3:0' });
});

t.test('later fragments get the ports of the first, and count their own bytes', async (t) => {
  const fragments = new Fragments();
  t.match(decoded(part(0, 1000), { fragments }), { as: 'packet', tuple, bytes: 1034 });
  t.match(decoded(part(1000, 1000), { fragments }), { as: 'packet', tuple, bytes: 1034 });
  t.match(decoded(part(2000, 8, { more: false }), { fragments }), { as: 'packet', tuple, bytes: 42 });
});

t.test('a later fragment without its first one is lost, because its ports are not known', async (t) => {
  const fragments = new Fragments();
  t.equal(decoded(part(1000, 1000), { fragments }).as, 'fragment-without-first');
  decoded(part(0, 1000), { fragments });
  t.equal(decoded(part(1000, 1000, { id: 78 }), { fragments }).as, 'fragment-without-first', 'another packet’s');
  const other = ethernet(ip4('10.0.1.9', '10.0.2.3', middle(17), { id: 77, offset: 1000 }));
  t.equal(decoded(other, { fragments }).as, 'fragment-without-first', 'another sender’s');
  const otherProtocol = ethernet(ip4('10.0.1.2', '10.0.2.3', middle(6), { id: 77, offset: 1000 }));
  t.equal(decoded(otherProtocol, { fragments }).as, 'fragment-without-first', 'another protocol’s');
});

t.test('a first fragment that ends before its ports is corrupt, and its later ones are lost', async (t) => {
  const fragments = new Fragments();
  const tiny = { protocol: 6, bytes: tcp(40000, 80).bytes.subarray(0, 3) };
  const first = ethernet(ip4('10.0.1.2', '10.0.2.3', tiny, { id: 5, more: true }));
  t.equal(decoded(first, { fragments }).as, 'corrupt');
  const later = ethernet(ip4('10.0.1.2', '10.0.2.3', middle(6), { id: 5, offset: 8 }));
  t.equal(decoded(later, { fragments }).as, 'fragment-without-first');
});

t.test('a first fragment that ends before the TCP flags has its ports, and so have its later ones', async (t) => {
  const fragments = new Fragments();
  const tiny = { protocol: 6, bytes: tcp(40000, 80, 'S').bytes.subarray(0, 8) };
  const first = ethernet(ip4('10.0.1.2', '10.0.2.3', tiny, { id: 5, more: true }));
  const expected = { as: 'packet', tuple: 'TCP 10.0.1.2:40000 -> 10.0.2.3:80', initiator: 'unknown' };
  t.match(decoded(first, { fragments }), expected);
  const later = ethernet(ip4('10.0.1.2', '10.0.2.3', middle(6), { id: 5, offset: 8 }));
  t.match(decoded(later, { fragments }), expected);
  t.match(decoded(join(first, 12), { fragments }), expected, 'the padding of the frame has no flags');
});

t.test('a later fragment of an ICMP error is not counted to the quoted connection', async (t) => {
  const fragments = new Fragments();
  const quoted = ip4('10.0.1.2', '10.0.2.3', udp(40000, 53, 8));
  const error = icmp(3, 3, 4, quoted.bytes);
  t.ok(decoded(ethernet(ip4('10.0.2.3', '10.0.1.2', error, { id: 6, more: true })), { fragments }).quoted);
  const later = ethernet(ip4('10.0.2.3', '10.0.1.2', middle(1), { id: 6, offset: 64 }));
  t.equal(decoded(later, { fragments }).as, 'fragment-without-first');
});

t.test('the newest first fragments are remembered, up to the limit', async (t) => {
  const fragments = new Fragments(2);
  for (const id of [1, 2, 1, 3]) decoded(part(0, 1000, { id }), { fragments });
  t.equal(decoded(part(1000, 1000, { id: 1 }), { fragments }).as, 'packet', 'seen again since');
  t.equal(decoded(part(1000, 1000, { id: 2 }), { fragments }).as, 'fragment-without-first');
  t.equal(decoded(part(1000, 1000, { id: 3 }), { fragments }).as, 'packet');
});
