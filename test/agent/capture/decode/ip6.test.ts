import t from 'tap';
import { Fragments } from '../../../../agent/capture/decode/fragments.ts';
import { decoded } from '../../../scene/decoded.ts';
import {
  authentication,
  type Body,
  ethernet,
  extension,
  fragment6,
  icmp6,
  ip6,
  join,
  middle,
  tcp,
  udp,
} from '../../../scene/packets.ts';

const tuple = 'TCP [fd00::2]:40000 -> [fd00::3]:80';

function frame(body: Body): Buffer {
  return ethernet(ip6('fd00::2', 'fd00::3', body));
}

t.test('extension headers between header and payload are skipped', async (t) => {
  const inner = tcp(40000, 80);
  const chains: Record<string, Body> = {
    'hop-by-hop': extension(0, inner),
    routing: extension(43, inner, 3),
    destination: extension(60, inner, 2),
    mobility: extension(135, inner),
    authentication: authentication(inner),
    all: extension(0, extension(60, extension(43, fragment6(authentication(extension(60, inner)))))),
  };
  for (const [name, body] of Object.entries(chains)) t.match(decoded(frame(body)), { as: 'packet', tuple }, name);
});

t.test('an atomic fragment is a whole packet', async (t) => {
  t.match(decoded(frame(fragment6(tcp(40000, 80)))), { as: 'packet', tuple, initiator: 'source' });
});

t.test('later fragments get the ports of the first, whatever their next header field says', async (t) => {
  const fragments = new Fragments();
  const first = frame(fragment6(extension(60, tcp(40000, 80, 'A', { payload: 64 })), { id: 7, more: true }));
  t.match(decoded(first, { fragments }), { as: 'packet', tuple });
  t.match(decoded(frame(fragment6(middle(6), { id: 7, offset: 96 })), { fragments }), { as: 'packet', tuple });
  // RFC 8200 4.5: only the first fragment's next header counts.
  t.match(decoded(frame(fragment6(middle(17), { id: 7, offset: 160 })), { fragments }), { as: 'packet', tuple });
});

t.test('a later fragment without its first one is lost', async (t) => {
  const fragments = new Fragments();
  t.equal(decoded(frame(fragment6(middle(60), { id: 8, offset: 64 })), { fragments }).as, 'fragment-without-first');
  decoded(frame(fragment6(udp(1, 2, 64), { id: 9, more: true })), { fragments });
  t.equal(decoded(frame(fragment6(middle(17), { id: 10, offset: 64 })), { fragments }).as, 'fragment-without-first');
});

t.test('16 extension headers are followed, of more the packet counts without its ports', async (t) => {
  const chainOf = (headers: number) => {
    let body = tcp(40000, 80);
    for (let i = 0; i < headers; i++) body = extension(60, body);
    return body;
  };
  t.match(decoded(frame(chainOf(16))), { as: 'packet', tuple });
  const { as, tuple: opaque } = decoded(frame(chainOf(17)));
  t.match({ as, opaque }, { as: 'packet', opaque: /^60 .*:0 -> .*:0$/ });
});

t.test('extension headers that are cut off are corrupt', async (t) => {
  const cut = extension(0, tcp(40000, 80)).bytes.subarray(0, 7);
  t.equal(decoded(frame({ protocol: 0, bytes: cut })).as, 'corrupt');
  const claims = Buffer.from(extension(43, tcp(40000, 80)).bytes);
  claims[1] = 200;
  t.equal(decoded(frame({ protocol: 43, bytes: claims })).as, 'corrupt', 'its length is larger than the packet');
});

t.test('a packet without payload (59) or of a protocol without ports is decoded', async (t) => {
  const nothing = { protocol: 59, bytes: Buffer.alloc(0) };
  t.match(decoded(frame(nothing)), { as: 'packet', tuple: '59 [fd00::2]:0 -> [fd00::3]:0' });
  const esp = { protocol: 50, bytes: Buffer.alloc(8) };
  t.match(decoded(frame(extension(60, esp))), { as: 'packet', tuple: '50 [fd00::2]:0 -> [fd00::3]:0' });
});

t.test('a payload length of 0 (segmentation offload) is accepted, and padding is not part of the packet', async (t) => {
  const packet = ip6('fd00::2', 'fd00::3', tcp(40000, 80), { payloadLength: 0 });
  t.match(decoded(ethernet(packet)), { as: 'packet', tuple });
  const short = ip6('fd00::2', 'fd00::3', { protocol: 6, bytes: tcp(40000, 80).bytes.subarray(0, 19) });
  t.equal(decoded(join(ethernet(short), 9)).as, 'corrupt');
});

t.test('an IPv4-mapped address on the wire is not the address of the IPv4 host', async (t) => {
  const mapped = (at: number) => {
    const frame = ethernet(ip6('fd00::2', 'fd00::3', udp(1, 2)));
    frame.fill(0, 14 + at, 14 + at + 10);
    frame.writeUInt16BE(0xffff, 14 + at + 10);
    frame.set([10, 0, 1, 2], 14 + at + 12);
    return frame;
  };
  t.equal(decoded(mapped(8)).as, 'mapped-address', 'the source');
  t.equal(decoded(mapped(24)).as, 'mapped-address', 'the destination');
  const quoted = mapped(8).subarray(14);
  t.equal(decoded(ethernet(ip6('fd00::3', 'fd00::2', icmp6(1, 4, 4, quoted)))).as, 'mapped-address', 'quoted');
  const compatible = ethernet(ip6('::a00:102', 'fd00::3', udp(1, 2)));
  t.equal(decoded(compatible).as, 'packet', 'an address without ffff is another one');
});
