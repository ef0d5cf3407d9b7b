// Fragments in any order, as in capture files: what is counted, and with which ports and flags.
import t from 'tap';
import { Fragments } from '../../../../agent/capture/decode/fragments.ts';
import { decodeFrame } from '../../../../agent/capture/decode/frame.ts';
import { linkTypes } from '../../../../agent/capture/decode/link-type.ts';
import { Packet } from '../../../../agent/capture/decode/packet.ts';
import { ACK, PSH, SYN } from '../../../../model/record.ts';
import { decoded, tupleOf } from '../../../scene/decoded.ts';
import {
  type Body,
  cooked2,
  ethernet,
  extension,
  fragment6,
  icmp,
  ip4,
  ip6,
  sctp,
  tagged,
  tcp,
  udp,
  vxlan,
} from '../../../scene/packets.ts';

const datagram = 'UDP 10.0.1.2:40000 -> 10.0.2.3:53';
const segment = 'TCP 10.0.1.2:40000 -> 10.0.2.3:80';

/** The part of `body` from `from` to `to`, as a frame. */
function part(body: Body, from: number, to = body.bytes.length, id = 7): Buffer {
  const bytes = body.bytes.subarray(from, to);
  const more = to < body.bytes.length;
  return ethernet(ip4('10.0.1.2', '10.0.2.3', { ...body, bytes }, { id, offset: from, more }));
}

function part6(body: Body, from: number, to = body.bytes.length): Buffer {
  const bytes = body.bytes.subarray(from, to);
  const more = to < body.bytes.length;
  return ethernet(ip6('fd00::2', 'fd00::3', fragment6({ ...body, bytes }, { id: 7, offset: from, more })));
}

function decoder(maxPackets?: number) {
  const fragments = new Fragments(maxPackets, 'any');
  const decode = (frame: Buffer, tunnels: 'decapsulate' | 'opaque' = 'opaque') => {
    const packet = new Packet(tunnels);
    const as = decodeFrame(1, frame, 0, frame.length, frame.length, fragments, packet);
    return { ...packet, as: packet.held ? 'held' : as, tuple: tupleOf(packet) };
  };
  return { fragments, decode };
}

t.test('fragments before the first one are held, and counted with it', async (t) => {
  const { fragments, decode } = decoder();
  const whole = udp(40_000, 53, 3000);
  t.equal(decode(part(whole, 2960)).as, 'held');
  t.equal(decode(part(whole, 1480, 2960)).as, 'held');
  t.match(decode(part(whole, 0, 1480)), { as: 'packet', tuple: datagram, frames: 3, bytes: 3 * 34 + 3008 });
  t.match(decode(part(whole, 1480, 2960)), { as: 'packet', tuple: datagram, frames: 1 }, 'after it');
  fragments.end();
  t.same(fragments.takeLost(), { frames: 0, bytes: 0 });
});

t.test('a fragment is of no packet that is more than 30 s older or newer', async (t) => {
  const body = udp(40_000, 53, 100);
  for (const [afterS, expected] of [
    [29, 'packet'],
    [31, 'held'],
    [3600, 'held'],
    [-31, 'held'],
  ] as const) {
    const { fragments, decode } = decoder();
    fragments.timeUs = 1_000_000_000_000;
    t.match(decode(part(body, 0, 64)), { as: 'packet', tuple: datagram });
    fragments.timeUs += afterS * 1_000_000;
    t.equal(decode(part(body, 64)).as, expected, `${afterS} s`);
  }
  const { fragments, decode } = decoder();
  decode(part(body, 64));
  fragments.timeUs += 31_000_000;
  t.match(decode(part(body, 0, 64)), { as: 'packet', tuple: datagram, frames: 1 }, 'a first one after a held one');
  t.equal(fragments.takeLost().frames, 1);
  fragments.timeUs += 20_000_000;
  t.equal(decode(part(body, 64)).as, 'packet');
  fragments.timeUs += 20_000_000;
  t.equal(decode(part(body, 64)).as, 'packet', 'the age is that of the newest fragment');
});

t.test('fragments of other VLANs and interfaces are of other packets', async (t) => {
  const at = (body: Body, traits: { id: number; offset?: number; more?: boolean }) =>
    ip4('10.0.1.2', '10.0.2.3', body, traits);
  const first = (port: number) => at(udp(port, 53, 24), { id: 7, more: true });
  const later = at({ protocol: 17, bytes: Buffer.alloc(16) }, { id: 7, offset: 32 });
  const { decode } = decoder();
  decode(ethernet(tagged(first(40_001), 0x8100, 1)));
  decode(ethernet(tagged(first(40_002), 0x8100, 2)));
  t.equal(decode(ethernet(tagged(later, 0x8100, 1))).tuple, 'UDP 10.0.1.2:40001 -> 10.0.2.3:53');
  t.equal(decode(ethernet(tagged(later, 0x8100, 2))).tuple, 'UDP 10.0.1.2:40002 -> 10.0.2.3:53');
  t.equal(decode(ethernet(later)).as, 'held');
  const fragments = new Fragments(10, 'any');
  const of = (frame: Buffer) => decoded(frame, { fragments, linkType: linkTypes.cooked2 });
  of(cooked2(first(40_001), 4));
  of(cooked2(first(40_002), 5));
  t.equal(of(cooked2(later, 4)).tuple, 'UDP 10.0.1.2:40001 -> 10.0.2.3:53');
  t.equal(of(cooked2(later, 5)).tuple, 'UDP 10.0.1.2:40002 -> 10.0.2.3:53');
});

t.test('held fragments whose first one does not come are lost', async (t) => {
  const { fragments, decode } = decoder(2);
  const whole = udp(40_000, 53, 100);
  for (const id of [1, 2, 3]) decode(part(whole, 64, undefined, id));
  t.same(fragments.takeLost(), { frames: 1, bytes: 34 + 44 }, 'beyond the limit, the oldest');
  fragments.end();
  t.same(fragments.takeLost(), { frames: 2, bytes: 2 * (34 + 44) });
  t.same(fragments.takeLost(), { frames: 0, bytes: 0 }, 'each is lost once');
});

t.test('held fragments are lost if the first one is corrupt, or an ICMP error', async (t) => {
  for (const [first, frames] of [
    [part({ ...udp(1, 2, 100), bytes: udp(1, 2, 100).bytes }, 0, 0), 1],
    [part(icmp(3, 3, 4, ip4('10.0.2.3', '10.0.1.2', udp(1, 2, 100)).bytes), 0, 64), 1],
  ] as const) {
    const { fragments, decode } = decoder();
    const protocol = first[23]!;
    decode(part({ protocol, bytes: Buffer.alloc(200) }, 64));
    decode(first);
    t.equal(fragments.takeLost().frames, frames);
  }
});

t.test('a TCP header in tiny fragments has its flags, in every order', async (t) => {
  const whole = tcp(40_000, 80, 'S', { sequence: 5000 });
  const parts = [part(whole, 0, 8), part(whole, 8, 16), part(whole, 16)];
  for (const order of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [2, 1, 0],
    [1, 2, 0],
    [2, 0, 1],
  ]) {
    const { fragments, decode } = decoder();
    const seen = order.map((i) => decode(parts[i]!));
    const counted = seen.filter(({ as }) => as === 'packet');
    t.equal(
      counted.reduce((sum, { frames }) => sum + frames, 0),
      3,
      String(order),
    );
    t.ok(
      counted.every(({ tuple }) => tuple === segment),
      String(order),
    );
    const [syn, ...others] = counted.filter(({ tcpFlags }) => (tcpFlags & SYN) !== 0);
    t.match(syn, { tcpFlags: SYN, initiator: 'source', sequence: 5000 }, String(order));
    t.same(others, []);
    fragments.end();
    t.equal(fragments.takeLost().frames, 0);
  }
});

t.test('without the fragment of the flags, a tiny first fragment has its ports', async (t) => {
  const { decode } = decoder();
  t.match(decode(part(tcp(40_000, 80, 'S'), 0, 8)), { as: 'packet', tuple: segment, tcpFlags: PSH });
  t.match(decode(part(tcp(40_000, 80, 'S'), 16)), { as: 'packet', tuple: segment, tcpFlags: 0 });
});

t.test('an SCTP header in tiny fragments has its ports, and its first chunk', async (t) => {
  const { decode } = decoder();
  const whole = sctp(40_000, 80, 1);
  t.match(decode(part(whole, 0, 8)), {
    as: 'packet',
    tuple: 'SCTP 10.0.1.2:40000 -> 10.0.2.3:80',
    initiator: 'unknown',
  });
  t.match(decode(part(whole, 8)), { as: 'packet', tuple: 'SCTP 10.0.1.2:40000 -> 10.0.2.3:80', initiator: 'source' });
});

t.test('the same for IPv6, unless another header is before the one in fragments', async (t) => {
  const tuple = 'TCP [fd00::2]:40000 -> [fd00::3]:80';
  const whole = tcp(40_000, 80, 'SA', { sequence: 1, acknowledged: 2 });
  const { decode } = decoder();
  t.equal(decode(part6(whole, 8)).as, 'held');
  t.match(decode(part6(whole, 0, 8)), {
    as: 'packet',
    tuple,
    frames: 2,
    tcpFlags: SYN | ACK,
    initiator: 'destination',
  });
  const behind = extension(60, whole);
  const second = decoder();
  t.match(second.decode(part6(behind, 0, 16)), { as: 'packet', tuple, tcpFlags: PSH });
  t.match(second.decode(part6(behind, 16)), { as: 'packet', tuple, tcpFlags: 0 }, 'these are not the flags');
});

t.test('held fragments of the outer packet of a tunnel are ignored like their first one', async (t) => {
  const { fragments, decode } = decoder();
  const inner = ethernet(ip4('10.0.1.2', '10.0.2.3', udp(40_000, 53, 1000)));
  const outer = udp(1, 4789, vxlan(inner));
  t.equal(decode(part(outer, 800), 'decapsulate').as, 'held');
  t.match(decode(part(outer, 0, 800), 'decapsulate'), { as: 'packet', tuple: datagram, frames: 1 });
  t.equal(fragments.takeCarriers().frames, 1);
  t.equal(decode(part(outer, 800), 'decapsulate').as, 'carrier');
});
