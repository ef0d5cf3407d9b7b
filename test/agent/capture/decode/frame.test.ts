import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { ignoredReasons, lossReasons } from '../../../../accounting/reasons.ts';
import { Fragments } from '../../../../agent/capture/decode/fragments.ts';
import { decodeFrame } from '../../../../agent/capture/decode/frame.ts';
import { isKnownLinkType, linkTypes } from '../../../../agent/capture/decode/link-type.ts';
import { Packet } from '../../../../agent/capture/decode/packet.ts';
import { decoded } from '../../../scene/decoded.ts';
import {
  authentication,
  echoOf,
  ethernet,
  extension,
  fragment6,
  geneve,
  icmp,
  icmp6,
  ip4,
  ip6,
  join,
  sctp,
  tagged,
  tcp,
  u8,
  udp,
  vxlan,
} from '../../../scene/packets.ts';

const four = ip4('10.0.1.2', '10.0.2.3', tcp(40000, 80));
const six = ip6('fd00::2', 'fd00::3', tcp(40000, 80));
const fourTuple = 'TCP 10.0.1.2:40000 -> 10.0.2.3:80';
const sixTuple = 'TCP [fd00::2]:40000 -> [fd00::3]:80';
const declared: ReadonlySet<string> = new Set(['packet', ...Object.keys(ignoredReasons), ...Object.keys(lossReasons)]);

const samples = [
  four,
  tagged(tagged(six), 0x88a8),
  ip4('10.0.1.2', '10.0.2.3', udp(40000, 53, 20), { options: 12 }),
  ip4('10.0.1.2', '10.0.2.3', udp(40000, 53, 64), { more: true }),
  ip4('10.0.2.3', '10.0.1.2', icmp(3, 3, 4, ip4('10.0.1.2', '10.0.2.3', udp(40000, 53)).bytes)),
  ip6('fd00::2', 'fd00::3', extension(0, extension(43, authentication(sctp(40000, 3868, 1)), 2))),
  ip6('fd00::2', 'fd00::3', fragment6(extension(60, udp(40000, 53, 64)), { more: true })),
  ip6('fd00::3', 'fd00::2', icmp6(1, 4, 4, ip6('fd00::2', 'fd00::3', extension(60, udp(40000, 53))).bytes)),
  ip6('fd00::2', 'fd00::3', icmp6(128, 0, echoOf(7))),
].map(ethernet);
const tunnelled = [
  ip4('192.0.2.1', '192.0.2.2', udp(1, 4789, vxlan(ethernet(six)))),
  ip4('192.0.2.1', '192.0.2.2', udp(1, 6081, geneve(0x6558, ethernet(four), 8))),
  ip4('192.0.2.1', '192.0.2.2', six),
].map(ethernet);

t.test('raw IP: the version field decides between IPv4 and IPv6, not the link type', async (t) => {
  for (const linkType of [linkTypes.raw, linkTypes.rawBsd, linkTypes.rawOpenBsd]) {
    t.match(decoded(four.bytes, { linkType }), { as: 'packet', tuple: fourTuple }, `link type ${linkType}`);
    t.match(decoded(six.bytes, { linkType }), { as: 'packet', tuple: sixTuple }, `link type ${linkType}`);
    t.equal(decoded(u8(0x50), { linkType }).as, 'not-ip');
    t.equal(decoded(Buffer.alloc(0), { linkType }).as, 'corrupt');
  }
});

t.test('BSD loopback: the packet follows an address family in either byte order', async (t) => {
  for (const linkType of [linkTypes.null, linkTypes.loop]) {
    t.match(decoded(join(u8(2, 0, 0, 0), four.bytes), { linkType }), { as: 'packet', tuple: fourTuple });
    t.match(decoded(join(u8(0, 0, 0, 30), six.bytes), { linkType }), { as: 'packet', tuple: sixTuple });
    t.equal(decoded(u8(2, 0), { linkType }).as, 'corrupt');
  }
});

t.test('an unsupported link type has its own loss reason', async (t) => {
  for (const linkType of [147, 189, -1, 65535]) {
    t.notOk(isKnownLinkType(linkType));
    t.equal(decoded(ethernet(four), { linkType }).as, 'unknown-link-type');
  }
});

t.test('a frame cut at any byte is decoded as the same connection, or corrupt', async (t) => {
  for (const frame of samples) {
    const whole = decoded(frame);
    t.equal(whole.as, 'packet');
    for (let length = 0; length < frame.length; length++) {
      const cut = decoded(frame.subarray(0, length), { length: frame.length });
      if (cut.as === 'corrupt') continue;
      if (cut.as !== 'packet' || cut.tuple !== whole.tuple) t.fail(`cut at ${length}: ${cut.as} ${cut.tuple}`);
    }
  }
  for (const frame of tunnelled) {
    const whole = decoded(frame, { tunnels: 'decapsulate' });
    const outer = decoded(frame, { tunnels: 'opaque' });
    for (let length = 0; length < frame.length; length++) {
      const cut = decoded(frame.subarray(0, length), { tunnels: 'decapsulate', length: frame.length });
      if (cut.as === 'corrupt' || cut.tuple === whole.tuple || cut.tuple === outer.tuple) continue;
      t.fail(`cut at ${length}: ${cut.as} ${cut.tuple}`);
    }
  }
});

const linkType = fc.constantFrom(...Object.values(linkTypes), 147);
/** Arbitrary bytes, and valid frames with some changed bytes and a cut end. */
const frame = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc
    .record({
      sample: fc.constantFrom(...samples, ...tunnelled),
      changes: fc.array(fc.tuple(fc.nat(160), fc.nat(255)), { maxLength: 6 }),
      length: fc.nat(200),
    })
    .map(({ sample, changes, length }) => {
      const bytes = Buffer.from(sample);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return bytes.subarray(0, Math.max(20, length));
    }),
);

t.test('arbitrary bytes give a known result and no error, and no byte outside the frame is read', async () => {
  const tunnelModes = fc.constantFrom<Packet['tunnels'][]>('decapsulate', 'opaque');
  fc.assert(
    fc.property(linkType, tunnelModes, frame, fc.nat(300), (type, tunnels, bytes, length) => {
      const around = (filler: number) => {
        const buffer = Buffer.alloc(bytes.length + 128, filler);
        buffer.set(bytes, 64);
        const packet = new Packet(tunnels);
        const as = decodeFrame(type, buffer, 64, 64 + bytes.length, length, new Fragments(), packet);
        return { as, ...packet };
      };
      const seen = around(0xff);
      assert(declared.has(seen.as), seen.as);
      assert.deepEqual(around(0x01), seen);
      assert(seen.as !== 'packet' || seen.bytes > 0, 'the length on the wire is at least the captured length');
    }),
    { numRuns: 20_000 },
  );
});
