// Decodes the header after the IP header, by protocol number.
import { hasPorts, ICMP, ICMPV6, SCTP, TCP, UDP } from '../../../model/protocol.ts';
import { ACK, PSH, URG } from '../../../model/record.ts';
import { etherTypes } from './ether-type.ts';
import { gre } from './gre.ts';
import { icmp } from './icmp.ts';
import { type Bytes, type DecodeResult, type Packet, word32 } from './packet.ts';
import { ports, portsBytes } from './ports.ts';
import { sctp, sctpHeaderBytes } from './sctp.ts';
import { tcp, tcpHeaderBytes } from './tcp.ts';
import { isTunnel, tunnelProtocols } from './tunnel.ts';
import { udp, udpHeaderBytes } from './udp.ts';

/** Of a TCP header: up to the flags, and up to the acknowledgement number. */
const flagsEnd = 14;
const acknowledgedEnd = 12;
/** With all options. A longer segment has data. */
const maxTcpHeaderBytes = 60;
const wholeHeader = new Uint8Array(tcpHeaderBytes);

const etherIpBytes = 2;

/**
 * Of a TCP header in two fragments, the first one has at least the ports (RFC 791, RFC 3128). PSH means that the flags are
 * not known: without it, the packet and a reset would look like a reset alone.
 */
export function transportOfFirstFragment(
  protocol: number,
  bytes: Bytes,
  at: number,
  end: number,
  into: Packet,
): DecodeResult {
  if (protocol !== TCP || end - at >= tcpHeaderBytes) return transport(protocol, bytes, at, end, into);
  if (end - at < portsBytes) return 'corrupt';
  ports(bytes, at, into);
  into.tcpFlags = PSH;
  return 'packet';
}

/**
 * A header that may be cut, by a short snap length or by tiny fragments: the ports are enough. `length` is that of header and
 * payload on the wire.
 */
export function transportOfPart(
  protocol: number,
  bytes: Bytes,
  at: number,
  end: number,
  length: number,
  into: Packet,
): DecodeResult {
  const captured = end - at;
  if (!hasPorts(protocol) || captured >= headerBytesOf(protocol)) return transport(protocol, bytes, at, end, into);
  if (captured < portsBytes) return 'corrupt';
  if (protocol === TCP) return cutTcp(bytes, at, captured, length, into);
  ports(bytes, at, into);
  // The packet in the tunnel is cut off.
  return into.tunnels === 'decapsulate' && isTunnel(into) ? 'corrupt' : 'packet';
}

function headerBytesOf(protocol: number): number {
  if (protocol === TCP) return tcpHeaderBytes;
  return protocol === UDP ? udpHeaderBytes : sctpHeaderBytes;
}

/**
 * Without flags, PSH means that they are not known, and ACK that the packet cannot be a SYN or refuse one. URG means that it
 * cannot refuse one: a refusal has neither options nor data.
 */
function cutTcp(bytes: Bytes, at: number, captured: number, length: number, into: Packet): DecodeResult {
  if (captured >= flagsEnd) {
    wholeHeader.fill(0);
    for (let i = 0; i < captured; i++) wholeHeader[i] = bytes[at + i]!;
    const decoded = tcp(wholeHeader, 0, tcpHeaderBytes, into);
    into.dnsStart = 0;
    return decoded;
  }
  ports(bytes, at, into);
  into.tcpFlags = PSH;
  // A reset that refuses a SYN has the sequence number 0 (RFC 9293 3.5.2), and a SYN acknowledges nothing.
  const hasNumbers = captured >= acknowledgedEnd && word32(bytes, at + 4) !== 0 && word32(bytes, at + 8) !== 0;
  if (hasNumbers || length > maxTcpHeaderBytes) into.tcpFlags |= ACK;
  if (length > tcpHeaderBytes) into.tcpFlags |= URG;
  return 'packet';
}

export function transport(protocol: number, bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  switch (protocol) {
    case TCP:
      return tcp(bytes, at, end, into);
    case UDP:
      return udp(bytes, at, end, into);
    case SCTP:
      return sctp(bytes, at, end, into);
    case ICMP:
    case ICMPV6:
      return icmp(protocol, bytes, at, end, into);
    default:
      return into.tunnels === 'opaque' ? 'packet' : tunnelOfProtocol(protocol, bytes, at, end, into);
  }
}

function tunnelOfProtocol(protocol: number, bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  switch (protocol) {
    case tunnelProtocols.ipInIp:
    case tunnelProtocols.ipv6InIp:
      return into.carry('ip', at);
    case tunnelProtocols.gre:
      return gre(bytes, at, end, into);
    case tunnelProtocols.etherIp:
      return into.carry('ethernet', at + etherIpBytes);
    case tunnelProtocols.mplsInIp:
      return into.carryType(etherTypes.mpls, at);
    case tunnelProtocols.ethernet:
      return into.carry('ethernet', at);
    default:
      return 'packet';
  }
}
