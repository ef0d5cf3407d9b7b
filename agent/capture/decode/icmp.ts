// ICMP and ICMPv6 (RFC 792, RFC 4443): an echo is a connection of its own, an error belongs to what it quotes.
import { ICMP } from '../../../model/protocol.ts';
import { ends4 } from './ip4.ts';
import { ends6, quotedBody6 } from './ip6.ts';
import { type Bytes, type Decoded, type Packet, word16 } from './packet.ts';
import { transport } from './transport.ts';

const v4 = {
  echoReply: 0,
  unreachable: 3,
  sourceQuench: 4,
  echo: 8,
  timeExceeded: 11,
  parameterProblem: 12,
  tooBig: 4,
};
const v6 = { unreachable: 1, tooBig: 2, lastError: 4, echo: 128, echoReply: 129 };
const errors4: ReadonlySet<number> = new Set([v4.unreachable, v4.sourceQuench, v4.timeExceeded, v4.parameterProblem]);

export function icmp(
  protocol: number,
  bytes: Bytes,
  at: number,
  end: number,
  into: Packet,
  where: 'outer' | 'quoted',
): Decoded {
  if (end - at < 8) return 'corrupt';
  const type = bytes[at]!;
  const echo = protocol === ICMP ? v4.echo : v6.echo;
  const echoReply = protocol === ICMP ? v4.echoReply : v6.echoReply;
  if (type === echo || type === echoReply) {
    // The identifier stands for the initiator's port, so that request and reply meet.
    const identifier = word16(bytes, at + 4);
    into.sourcePort = type === echo ? identifier : 0;
    into.destinationPort = type === echo ? 0 : identifier;
    into.began = type === echo ? 'source' : 'destination';
    return 'packet';
  }
  const isError = protocol === ICMP ? errors4.has(type) : type >= v6.unreachable && type <= v6.lastError;
  if (!isError || where === 'quoted') return 'packet';
  return quoted(protocol, type, bytes[at + 1]!, bytes, at + 8, end, into);
}

/** The packet becomes a reply of the connection whose header the error carries. */
function quoted(
  protocol: number,
  type: number,
  code: number,
  bytes: Bytes,
  at: number,
  end: number,
  into: Packet,
): Decoded {
  let body = -1;
  if (protocol === ICMP) {
    const headerLength = ends4(bytes, at, end, into);
    if (headerLength > 0) body = at + headerLength;
  } else if (ends6(bytes, at, end, into)) body = quotedBody6(bytes, at, end, into);
  if (body < 0) return 'corrupt';
  const decoded = transport(into.protocol, bytes, body, end, into, 'quoted');
  into.began = 'unsaid';
  if (decoded !== 'packet') return decoded;
  into.turn();
  into.quoted = true;
  into.unreachable = protocol === ICMP ? type === v4.unreachable && code !== v4.tooBig : type === v6.unreachable;
  return 'packet';
}
