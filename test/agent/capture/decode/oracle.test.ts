// The decoder against tcpdump, over a few hundred packets of every kind that both know.
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import t from 'tap';
import { pcapFile } from '../../../scene/captures.ts';
import { type DecodedPacket, decoded } from '../../../scene/decoded.ts';
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
} from '../../../scene/packets.ts';

/** Beyond the ports whose payload tcpdump takes for a protocol of theirs. */
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
/** From the inside out: tcpdump follows no header that stands behind an AH. */
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
const frame = fc
  .tuple(fc.oneof({ weight: 4, arbitrary: packet }, refused, tunnel), tags)
  .map(([content, tag]) => ethernet(tag(content)));

/** tcpdump's text of each packet; the seconds before it are its number. */
function tcpdump(frames: readonly Buffer[]): string[] {
  const input = pcapFile(frames.map((frame, i) => ({ frame, timeUs: i * 1_000_000 })));
  const { stdout, stderr, error } = spawnSync('tcpdump', ['-nn', '-S', '-tt', '-r', '-'], { input });
  if (error) throw error;
  const texts = stdout.toString().split(/^(?=\d+\.0{6} )/m);
  if (texts.length !== frames.length) throw new Error(`${texts.length} of ${frames.length} packets: ${stderr}`);
  return texts;
}

/** What tcpdump says of the innermost packet: `TCP 192.0.2.1:1 -> 192.0.2.2:2 [S.] ack 7`. */
function theirs(text: string): string {
  const [, from, to, rest] = /.*\bIP6? (\S+) > (\S+): (.*)/s.exec(text)!;
  const refused = /(?:ICMP|port,) (\S+) (udp|tcp) port (\d+)/.exec(rest!);
  if (refused !== null) return `refused ${refused[2]!.toUpperCase()} ${to} -> ${end(refused[1]!, refused[3])}`;
  // Behind extension headers the ports stand by themselves.
  const ports = /[ .](\d+) > (?:[0-9a-f:]+\.)?(\d+): /.exec(` ${rest}`);
  const ends = ports === null ? [from!, to!].map(dotted) : [end(from!, ports[1]), end(to!, ports[2])];
  const echo = /(ICMP6?),? echo (request|reply), id (\d+)/.exec(rest!);
  if (echo !== null) {
    const [asked, answered] = echo[2] === 'request' ? [echo[3], 0] : [0, echo[3]];
    return `${echo[1] === 'ICMP' ? 'ICMP' : 'ICMPv6'} ${end(from!, asked)} -> ${end(to!, answered)} ${echo[2]}`;
  }
  const way = ends.join(' -> ');
  if (/\bsctp\b/.test(rest!)) return `SCTP ${way} ${/\[(INIT(?: ACK)?)\]/.exec(rest!)?.[1] ?? 'other'}`;
  if (/\bUDP\b/.test(rest!)) return `UDP ${way}`;
  const tcp = /Flags \[(\S+)\](?:.*?, seq (\d+))?(?:.*?, ack (\d+))?/.exec(rest!);
  if (tcp === null) return `not understood: ${text}`;
  const [, flags, sequence, acknowledged] = tcp;
  return `TCP ${way} [${flags}]${sequence ? ` seq ${sequence}` : ''}${acknowledged ? ` ack ${acknowledged}` : ''}`;
}

/** The same of what we decoded. */
function ours({ as, way, quoted, tcpFlags, began, sequence, acknowledged }: DecodedPacket, text: string): string {
  if (as !== 'packet') return as;
  if (quoted) {
    const [protocol, responder, , initiator] = way.split(' ');
    return `refused ${protocol} ${initiator!.replace(/^\[?(.*?)\]?:\d+$/, '$1')} -> ${responder}`;
  }
  if (way.startsWith('ICMP')) return `${way} ${began === 'source' ? 'request' : 'reply'}`;
  if (way.startsWith('SCTP')) return `${way} ${{ source: 'INIT', destination: 'INIT ACK', unsaid: 'other' }[began]}`;
  if (!way.startsWith('TCP')) return way;
  const letters = [...'FSRP.UEW'].filter((_, i) => (tcpFlags & (1 << i)) !== 0).join('') || 'none';
  // tcpdump leaves the sequence of an empty segment out.
  const tells = / seq /.test(text) ? ` seq ${sequence}` : '';
  return `${way} [${letters}]${tells}${letters.includes('.') ? ` ack ${acknowledged}` : ''}`;
}

function dotted(text: string): string {
  const dot = text.lastIndexOf('.');
  return end(text.slice(0, dot), text.slice(dot + 1));
}

function end(address: string, port: string | number | undefined): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

t.test('addresses, protocol, ports, flags and numbers are those that tcpdump finds', async (t) => {
  const frames = fc.sample(frame, { numRuns: 600, seed: 7 });
  const kinds = new Map<string, number>();
  for (const [i, text] of tcpdump(frames).entries()) {
    const seen = ours(decoded(frames[i]!, { tunnels: 'open' }), text);
    if (seen !== theirs(text)) t.equal(seen, theirs(text), text);
    const kind = seen.split(' ')[0]!;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  for (const kind of ['TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPv6', 'refused']) t.ok((kinds.get(kind) ?? 0) > 20, kind);
});
