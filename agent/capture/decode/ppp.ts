// The protocol field of PPP (RFC 1661 2), which may have one or two bytes.
import { etherTypes } from './ether-type.ts';
import { type Bytes, word16 } from './packet.ts';

const IPV4 = 0x21;
const IPV6 = 0x57;
const MPLS = 0x0281;
const MPLS_MULTICAST = 0x0283;
const ADDRESS_AND_CONTROL = 0xff03;

/** The length of the address and control bytes, which may be absent (RFC 1661 6.6). */
export function pppFramingLength(bytes: Bytes, at: number, end: number): number {
  return end - at >= 2 && word16(bytes, at) === ADDRESS_AND_CONTROL ? 2 : 0;
}

/** An odd byte is the last one of the field (RFC 1661 6.5). */
export function pppProtocolLength(bytes: Bytes, at: number): number {
  return (bytes[at]! & 1) === 1 ? 1 : 2;
}

/** The EtherType of the same payload, or 0 if it is not opened. The caller checks that the field is there. */
export function pppType(bytes: Bytes, at: number): number {
  const protocol = (bytes[at]! & 1) === 1 ? bytes[at]! : word16(bytes, at);
  switch (protocol) {
    case IPV4:
      return etherTypes.ipv4;
    case IPV6:
      return etherTypes.ipv6;
    case MPLS:
      return etherTypes.mpls;
    case MPLS_MULTICAST:
      return etherTypes.mplsUpstream;
    default:
      return 0;
  }
}
