// LLC, with or without SNAP (IEEE 802.2, RFC 1042): in 802.3 and 802.11 frames.
import { etherTypes } from './ether-type.ts';
import { type Bytes, word16 } from './packet.ts';

export const llcBytes = 3;
export const snapBytes = 8;
const SNAP = 0xaaaa;
/** RFC 948: IP without SNAP. */
const IP = 0x0606;
const UNNUMBERED = 0x03;
/** The organisation codes after which an EtherType follows (RFC 1042, IEEE 802.1H). */
const ETHERNET = 0;
const BRIDGE_TUNNEL = 0x0000f8;
const minEtherType = 0x0600;

/** The EtherType; 0 if nothing that is opened follows. The caller checks that `llcBytes` are there. */
export function llcType(bytes: Bytes, at: number, end: number): number {
  if (bytes[at + 2] !== UNNUMBERED) return 0;
  const accessPoints = word16(bytes, at);
  if (accessPoints === IP) return etherTypes.ipv4;
  if (accessPoints !== SNAP || end - at < snapBytes) return 0;
  const organisation = (word16(bytes, at + 3) << 8) | bytes[at + 5]!;
  const type = word16(bytes, at + 6);
  return (organisation === ETHERNET || organisation === BRIDGE_TUNNEL) && type >= minEtherType ? type : 0;
}

/** The length of the header that `llcType` read. */
export function llcLength(bytes: Bytes, at: number): number {
  return word16(bytes, at) === SNAP ? snapBytes : llcBytes;
}
