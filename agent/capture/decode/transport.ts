// What stands behind the IP header: ports, TCP flags, and who began.
import { ICMP, ICMPV6, SCTP, TCP, UDP } from '../../../model/protocol.ts';
import { ACK, RST, SYN } from '../../../model/record.ts';
import { icmp } from './icmp.ts';
import { type Bytes, type Decoded, type Packet, word16, word32 } from './packet.ts';

/** UDP ports of tunnels: VXLAN (RFC 7348), Linux's own VXLAN, Geneve (RFC 8926). */
const carrierPorts: ReadonlySet<number> = new Set([4789, 8472, 6081]);
const IP_IN_IP = 4;
const IPV6_IN_IP = 41;

/** SCTP chunk types (RFC 9260 3.2). */
const INIT = 1;
const INIT_ACK = 2;

/** `quoted`: the header stands in an ICMP error, which may end after 8 bytes. */
export function transport(
  protocol: number,
  bytes: Bytes,
  at: number,
  end: number,
  into: Packet,
  where: 'outer' | 'quoted',
): Decoded {
  switch (protocol) {
    case TCP:
      return tcp(bytes, at, end, into, where);
    case UDP:
      if (end - at < 8) return 'corrupt';
      ports(bytes, at, into);
      return carrierPorts.has(into.destinationPort) ? 'carrier' : 'packet';
    case SCTP:
      if (end - at < (where === 'quoted' ? 8 : 12)) return 'corrupt';
      ports(bytes, at, into);
      if (where === 'outer' && end - at >= 13) sctpBegan(bytes[at + 12]!, into);
      return 'packet';
    case ICMP:
    case ICMPV6:
      return icmp(protocol, bytes, at, end, into, where);
    case IP_IN_IP:
    case IPV6_IN_IP:
      return 'carrier';
    default:
      return 'packet';
  }
}

function tcp(bytes: Bytes, at: number, end: number, into: Packet, where: 'outer' | 'quoted'): Decoded {
  if (where === 'quoted') {
    if (end - at < 8) return 'corrupt';
    ports(bytes, at, into);
    return 'packet';
  }
  if (end - at < 20 || bytes[at + 12]! >> 4 < 5) return 'corrupt';
  ports(bytes, at, into);
  into.sequence = word32(bytes, at + 4);
  into.tcpFlags = bytes[at + 13]!;
  if ((into.tcpFlags & (SYN | RST)) === SYN) into.began = (into.tcpFlags & ACK) === 0 ? 'source' : 'destination';
  return 'packet';
}

function sctpBegan(chunk: number, into: Packet): void {
  if (chunk === INIT) into.began = 'source';
  else if (chunk === INIT_ACK) into.began = 'destination';
}

function ports(bytes: Bytes, at: number, into: Packet): void {
  into.sourcePort = word16(bytes, at);
  into.destinationPort = word16(bytes, at + 2);
}
