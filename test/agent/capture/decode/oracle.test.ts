// Compares the decoder with tcpdump, on 600 packets of every kind that both know.
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import t from 'tap';
import { pcapFile } from '../../../scene/captures.ts';
import { type DecodedPacket, decoded } from '../../../scene/decoded.ts';
import { frame } from '../../../scene/random-frames.ts';

/** tcpdump's text of each packet; the time in seconds is the packet's number. */
function tcpdump(frames: readonly Buffer[]): string[] {
  const input = pcapFile(frames.map((frame, i) => ({ frame, timeUs: i * 1_000_000 })));
  const { stdout, stderr, error } = spawnSync('tcpdump', ['-nn', '-S', '-tt', '-r', '-'], { input });
  if (error) throw error;
  const texts = stdout.toString().split(/^(?=\d+\.0{6} )/m);
  if (texts.length !== frames.length) throw new Error(`${texts.length} of ${frames.length} packets: ${stderr}`);
  return texts;
}

/** The innermost packet by tcpdump's text, such as `TCP 192.0.2.1:1 -> 192.0.2.2:2 [S.] ack 7`. */
function theirs(text: string): string {
  const [, from, to, rest] = /.*\bIP6? (\S+) > (\S+): (.*)/s.exec(text)!;
  const refused = /(?:ICMP|port,) (\S+) (udp|tcp) port (\d+)/.exec(rest!);
  if (refused !== null) return `refused ${refused[2]!.toUpperCase()} ${to} -> ${end(refused[1]!, refused[3])}`;
  // After extension headers, tcpdump prints the ports separately.
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

/** The same text from our decoder. */
function ours(
  { as, tuple, quoted, tcpFlags, initiator: initiatorEnd, sequence, acknowledged }: DecodedPacket,
  text: string,
): string {
  if (as !== 'packet') return as;
  if (quoted) {
    const [protocol, responder, , initiator] = tuple.split(' ');
    return `refused ${protocol} ${initiator!.replace(/^\[?(.*?)\]?:\d+$/, '$1')} -> ${responder}`;
  }
  if (tuple.startsWith('ICMP')) return `${tuple} ${initiatorEnd === 'source' ? 'request' : 'reply'}`;
  if (tuple.startsWith('SCTP'))
    return `${tuple} ${{ source: 'INIT', destination: 'INIT ACK', unknown: 'other' }[initiatorEnd]}`;
  if (!tuple.startsWith('TCP')) return tuple;
  const letters = [...'FSRP.UEW'].filter((_, i) => (tcpFlags & (1 << i)) !== 0).join('') || 'none';
  // tcpdump omits the sequence number of an empty segment.
  const sequenceText = / seq /.test(text) ? ` seq ${sequence}` : '';
  return `${tuple} [${letters}]${sequenceText}${letters.includes('.') ? ` ack ${acknowledged}` : ''}`;
}

function dotted(text: string): string {
  const dot = text.lastIndexOf('.');
  return end(text.slice(0, dot), text.slice(dot + 1));
}

function end(address: string, port: string | number | undefined): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

t.test('finds the same addresses, protocol, ports, flags and numbers as tcpdump', async (t) => {
  const frames = fc.sample(frame, { numRuns: 600, seed: 7 });
  const kinds = new Map<string, number>();
  for (const [i, text] of tcpdump(frames).entries()) {
    const found = ours(decoded(frames[i]!, { tunnels: 'decapsulate' }), text);
    if (found !== theirs(text)) t.equal(found, theirs(text), text);
    const kind = found.split(' ')[0]!;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  for (const kind of ['TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPv6', 'refused']) t.ok((kinds.get(kind) ?? 0) > 20, kind);
});
