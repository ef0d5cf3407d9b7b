// A stack of MPLS labels (RFC 3032). No label says what follows the stack: IP, or an Ethernet frame (pseudowire, RFC 4448)
// with or without a control word. So the first bytes decide (RFC 4928, RFC 8469).
import { etherTypes } from './ether-type.ts';
import { type Bytes, word16 } from './packet.ts';
import { ethernetBytes, seemsEthernet, tagBytes } from './seems-ethernet.ts';
import { fits6, hasValidChecksum, seemsIp } from './seems-ip.ts';

const labelBytes = 4;
const BOTTOM = 0x01; // in the third byte
const controlWordBytes = 4;
const ip6Bytes = 40;
const { ipv4: IPV4, ipv6: IPV6, tag: TAG, serviceTag: SERVICE_TAG } = etherTypes;

/** What follows the stack; one object for all packets. `type` is 0 if it is not opened. */
export const afterLabels = { type: 0, at: 0 };

/** Fills `afterLabels`; false if the frame ends within the stack. */
export function followLabels(bytes: Bytes, start: number, end: number): boolean {
  let at = start;
  for (;;) {
    if (end - at < labelBytes) return false;
    const isBottom = (bytes[at + 2]! & BOTTOM) !== 0;
    at += labelBytes;
    if (isBottom) break;
  }
  if (at >= end) return false;
  const nibble = bytes[at]! >> 4;
  afterLabels.at = at;
  afterLabels.type = 0;
  if (nibble === 0 && seemsEthernet(bytes, at + controlWordBytes, end)) {
    afterLabels.type = etherTypes.ethernet;
    afterLabels.at = at + controlWordBytes;
  } else if (seemsEthernet(bytes, at, end) && !isIp(bytes, at, end)) afterLabels.type = etherTypes.ethernet;
  else if (nibble === 4) afterLabels.type = IPV4;
  else if (nibble === 6) afterLabels.type = IPV6;
  return true;
}

/** Whether the fields of an IP header fit together. Link addresses may begin with 4 or 6, too. */
function isIp(bytes: Bytes, at: number, end: number): boolean {
  if (bytes[at]! >> 4 === 6) return isIp6(bytes, at, end);
  return bytes[at]! >> 4 === 4 && hasValidChecksum(bytes, at, end);
}

/** With padding after it, a packet could also be a frame: then the header in the frame decides. */
function isIp6(bytes: Bytes, at: number, end: number): boolean {
  if (!fits6(bytes, at, end, false)) return false;
  if (word16(bytes, at + 4) + ip6Bytes === end - at) return true;
  const type = word16(bytes, at + 12);
  const isTagged = type === TAG || type === SERVICE_TAG;
  return !seemsIp(bytes, at + ethernetBytes + (isTagged ? tagBytes : 0), end, false);
}
