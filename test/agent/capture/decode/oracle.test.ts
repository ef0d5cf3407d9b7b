// The decoder against tcpdump, over a few hundred packets of every kind that both know.
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import t from 'tap';
import { pcapFile } from '../../../scene/captures.ts';
import { type DecodedPacket, decoded } from '../../../scene/decoded.ts';
import { frame } from '../../../scene/random-frames.ts';

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
  const tuple = ends.join(' -> ');
  if (/\bsctp\b/.test(rest!)) return `SCTP ${tuple} ${/\[(INIT(?: ACK)?)\]/.exec(rest!)?.[1] ?? 'other'}`;
  if (/\bUDP\b/.test(rest!)) return `UDP ${tuple}`;
  const tcp = /Flags \[(\S+)\](?:.*?, seq (\d+))?(?:.*?, ack (\d+))?/.exec(rest!);
  if (tcp === null) return `not understood: ${text}`;
  const [, flags, sequence, acknowledged] = tcp;
  return `TCP ${tuple} [${flags}]${sequence ? ` seq ${sequence}` : ''}${acknowledged ? ` ack ${acknowledged}` : ''}`;
}

/** The same of what we decoded. */
function ours(
  { as, tuple, quoted, tcpFlags, initiator: began, sequence, acknowledged }: DecodedPacket,
  text: string,
): string {
  if (as !== 'packet') return as;
  if (quoted) {
    const [protocol, responder, , initiator] = tuple.split(' ');
    return `refused ${protocol} ${initiator!.replace(/^\[?(.*?)\]?:\d+$/, '$1')} -> ${responder}`;
  }
  if (tuple.startsWith('ICMP')) return `${tuple} ${began === 'source' ? 'request' : 'reply'}`;
  if (tuple.startsWith('SCTP'))
    return `${tuple} ${{ source: 'INIT', destination: 'INIT ACK', unknown: 'other' }[began]}`;
  if (!tuple.startsWith('TCP')) return tuple;
  const letters = [...'FSRP.UEW'].filter((_, i) => (tcpFlags & (1 << i)) !== 0).join('') || 'none';
  // tcpdump leaves the sequence of an empty segment out.
  const tells = / seq /.test(text) ? ` seq ${sequence}` : '';
  return `${tuple} [${letters}]${tells}${letters.includes('.') ? ` ack ${acknowledged}` : ''}`;
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
    const seen = ours(decoded(frames[i]!, { tunnels: 'decapsulate' }), text);
    if (seen !== theirs(text)) t.equal(seen, theirs(text), text);
    const kind = seen.split(' ')[0]!;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  for (const kind of ['TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPv6', 'refused']) t.ok((kinds.get(kind) ?? 0) > 20, kind);
});
