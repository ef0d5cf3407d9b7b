// ICMP and ICMPv6 (RFC 792, RFC 4443): an echo is its own connection, an error belongs to the connection that it
// quotes.
import { hasPorts, ICMP, ICMPV6 } from '../../../model/protocol.ts';
import { AUTHENTICATION, afterAuthentication, FRAGMENT_OFFSET, header4 } from './ip4-header.ts';
import { chain, hasMappedAddress, header6 } from './ip6-header.ts';
import { type Bytes, type DecodeResult, type Packet, word16 } from './packet.ts';
import { ports, portsBytes } from './ports.ts';
import { isTunnel } from './tunnel.ts';

const headerBytes = 8;
const v4 = { echoReply: 0, unreachable: 3, sourceQuench: 4, echo: 8, timeExceeded: 11, parameterProblem: 12 };
const codeTooBig4 = 4;
const v6 = { unreachable: 1, lastError: 4, echo: 128, echoReply: 129 };

export function icmp(protocol: number, bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  if (end - at < headerBytes) return 'corrupt';
  const type = bytes[at]!;
  echo(protocol, type, bytes, at, into);
  if (!isError(protocol, type)) return 'packet';
  if (protocol === ICMP) return quoted4(bytes, at + headerBytes, end, into, isUnreachable4(type, bytes[at + 1]!));
  return quoted6(bytes, at + headerBytes, end, into, type === v6.unreachable);
}

/** The identifier counts as the initiator's port, so that request and reply are one connection. */
function echo(protocol: number, type: number, bytes: Bytes, at: number, into: Packet): void {
  const isRequest = type === (protocol === ICMP ? v4.echo : v6.echo);
  if (!isRequest && type !== (protocol === ICMP ? v4.echoReply : v6.echoReply)) return;
  const identifier = word16(bytes, at + 4);
  into.sourcePort = isRequest ? identifier : 0;
  into.destinationPort = isRequest ? 0 : identifier;
  into.initiator = isRequest ? 'source' : 'destination';
}

function isError(protocol: number, type: number): boolean {
  if (protocol !== ICMP) return type >= v6.unreachable && type <= v6.lastError;
  return (
    type === v4.unreachable || type === v4.sourceQuench || type === v4.timeExceeded || type === v4.parameterProblem
  );
}

/** "Too big" is not unreachable: a smaller packet would arrive. */
function isUnreachable4(type: number, code: number): boolean {
  return type === v4.unreachable && code !== codeTooBig4;
}

function quoted4(bytes: Bytes, at: number, end: number, into: Packet, unreachable: boolean): DecodeResult {
  const length = header4(bytes, at, end, into);
  if (length === 0) return 'corrupt';
  if ((word16(bytes, at + 6) & FRAGMENT_OFFSET) !== 0) return 'fragment-without-first';
  let body = at + length;
  if (into.protocol === AUTHENTICATION && into.tunnels === 'decapsulate') {
    body = afterAuthentication(bytes, body, end, into);
    if (body < 0) return 'corrupt';
  }
  return quotedBody(bytes, body, end, into, unreachable);
}

function quoted6(bytes: Bytes, at: number, end: number, into: Packet, unreachable: boolean): DecodeResult {
  if (!header6(bytes, at, end, into)) return 'corrupt';
  if (hasMappedAddress(into)) return 'mapped-address';
  if (chain.fragment === 'later') return 'fragment-without-first';
  return quotedBody(bytes, chain.at, end, into, unreachable);
}

/** The error becomes a reply in the connection that it quotes. 8 bytes after the quoted IP header are enough. */
function quotedBody(bytes: Bytes, at: number, end: number, into: Packet, unreachable: boolean): DecodeResult {
  const { protocol } = into;
  const isIcmp = protocol === ICMP || protocol === ICMPV6;
  const needed = into.cut && hasPorts(protocol) ? portsBytes : headerBytes;
  if ((hasPorts(protocol) || isIcmp) && end - at < needed) return 'corrupt';
  if (hasPorts(protocol)) ports(bytes, at, into);
  if (isIcmp) echo(protocol, bytes[at]!, bytes, at, into);
  // An error about the tunnel: the quoted bytes end before the packet in the tunnel.
  if (into.tunnels === 'decapsulate' && isTunnel(into)) return 'carrier';
  into.initiator = 'unknown';
  into.swapEnds();
  into.quoted = true;
  into.unreachable = unreachable;
  return 'packet';
}
