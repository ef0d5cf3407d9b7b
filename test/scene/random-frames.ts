// Random frames of every kind that the decoder supports, for property tests.
import fc from 'fast-check';
import {
  authentication,
  type Body,
  type Content,
  echoOf,
  ethernet,
  extension,
  fragment6,
  geneve,
  icmp,
  icmp6,
  ip4,
  ip6,
  sctp,
  tagged,
  tcp,
  udp,
  vxlan,
} from './packets.ts';

/** Above the ports whose payload tcpdump decodes as a known protocol. */
const port = fc.integer({ min: 31_000, max: 65_535 });
const number = fc.integer({ min: 1, max: 0xffffffff });
const four = fc.tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(255), fc.nat(255)).map((p) => p.join('.'));
const six = fc.array(fc.integer({ min: 1, max: 0xffff }), { minLength: 7, maxLength: 7 }).map((words) => {
  return `2001:${words.map((word) => word.toString(16)).join(':')}`;
});
const flags = fc.subarray([...'FSRPAUEW']).map((letters) => letters.join(''));

const withPorts = fc.oneof(
  fc
    .record({ flags, sequence: number, acknowledged: number, payload: fc.nat(40), from: port, to: port })
    .map(({ flags, from, to, ...rest }) => tcp(from, to, flags, rest)),
  fc.tuple(port, port, fc.nat(40)).map((parts) => udp(...parts)),
  fc.tuple(port, port, fc.constantFrom(0, 1, 2)).map((parts) => sctp(...parts)),
);
const identifier = fc.integer({ min: 1, max: 65_535 });
const body4 = fc.oneof(
  { weight: 3, arbitrary: withPorts },
  fc.tuple(fc.constantFrom(8, 0), identifier).map(([type, id]) => icmp(type, 0, echoOf(id))),
);
const body6 = fc.oneof(
  { weight: 3, arbitrary: withPorts },
  fc.tuple(fc.constantFrom(128, 129), identifier).map(([type, id]) => icmp6(type, 0, echoOf(id))),
);
/** From the inside out: tcpdump does not decode headers after an AH. */
const wraps: ((body: Body) => Body)[] = [
  authentication,
  (body) => extension(60, body, 2),
  (body) => extension(43, body),
  (body) => fragment6(body, { more: false }),
  (body) => fragment6(body, { more: true }),
];
const chain = fc.tuple(body6, fc.subarray(wraps), fc.boolean()).map(([body, around, hops]) => {
  const wrapped = around.reduce((inner, wrap) => wrap(inner), body);
  return hops ? extension(0, wrapped) : wrapped;
});

const packet: fc.Arbitrary<Content & Body> = fc.oneof(
  fc
    .record({ from: four, to: four, body: body4, words: fc.nat(10), more: fc.boolean() })
    .map(({ from, to, body, words, more }) => ip4(from, to, body, { options: words * 4, more })),
  fc.tuple(six, six, chain).map((parts) => ip6(...parts)),
  fc.tuple(six, six, body6).map((parts) => ip6(...parts)),
);
const refused = fc.oneof(
  fc
    .tuple(
      four,
      four,
      fc.oneof(
        fc.tuple(port, port).map((ports) => udp(...ports)),
        fc.tuple(port, port).map((ports) => tcp(...ports)),
      ),
    )
    .map(([from, to, body]) => ip4(to, from, icmp(3, 3, 4, ip4(from, to, body).bytes))),
  fc
    .tuple(six, six, port, port)
    .map(([from, to, ...ports]) => ip6(to, from, icmp6(1, 4, 4, ip6(from, to, udp(...ports)).bytes))),
);
const tunnel = fc.tuple(packet, fc.constantFrom('vxlan', 'geneve', 'ip')).map(([inner, kind]) => {
  const nodes = ['192.0.2.1', '192.0.2.2'] as const;
  if (kind === 'ip') return ip4(...nodes, inner);
  const frame = ethernet(inner);
  return ip4(
    ...nodes,
    kind === 'vxlan' ? udp(40_000, 4789, vxlan(frame)) : udp(40_000, 6081, geneve(0x6558, frame, 8)),
  );
});
const tags = fc.constantFrom<((content: Content) => Content)[]>(
  (content) => content,
  (content) => tagged(content),
  (content) => tagged(tagged(content), 0x88a8),
);
export const frame = fc
  .tuple(fc.oneof({ weight: 4, arbitrary: packet }, refused, tunnel), tags)
  .map(([content, tag]) => ethernet(tag(content)));
