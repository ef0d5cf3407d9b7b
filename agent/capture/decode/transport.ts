// Decodes the header after the IP header, by protocol number.
import { ICMP, ICMPV6, SCTP, TCP, UDP } from '../../../model/protocol.ts';
import { PSH } from '../../../model/record.ts';
import { icmp } from './icmp.ts';
import type { Bytes, DecodeResult, Packet } from './packet.ts';
import { ports, portsBytes } from './ports.ts';
import { sctp } from './sctp.ts';
import { tcp, tcpHeaderBytes } from './tcp.ts';
import { IP_IN_IP, IPV6_IN_IP } from './tunnel.ts';
import { udp } from './udp.ts';

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
    case IP_IN_IP:
    case IPV6_IN_IP:
      if (into.tunnels === 'opaque') return 'packet';
      into.inner = 'ip';
      into.innerAt = at;
      return 'carrier';
    default:
      return 'packet';
  }
}
