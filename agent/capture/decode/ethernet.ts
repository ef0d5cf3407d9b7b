// The Ethernet header, 802.1Q and QinQ tags, and the EtherType after them (IEEE 802.3, 802.1Q).
import type { Fragments } from './fragments.ts';
import { ip4 } from './ip4.ts';
import { ip6 } from './ip6.ts';
import { type Bytes, type DecodeResult, type Packet, word16 } from './packet.ts';

const headerBytes = 14;
const tagBytes = 4;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** 802.1Q, 802.1ad (QinQ), and the tag for stacked VLANs from before 802.1ad. */
const TAG = 0x8100;
const SERVICE_TAG = 0x88a8;
const OLD_SERVICE_TAG = 0x9100;

export function ethernet(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  if (end - at < headerBytes) return 'corrupt';
  return etherType(word16(bytes, at + 12), bytes, at + headerBytes, end, fragments, into);
}

/** `at` is the offset after the type. */
export function etherType(
  type: number,
  bytes: Bytes,
  at: number,
  end: number,
  fragments: Fragments,
  into: Packet,
): DecodeResult {
  let inner = type;
  let body = at;
  while (inner === TAG || inner === SERVICE_TAG || inner === OLD_SERVICE_TAG) {
    if (end - body < tagBytes) return 'corrupt';
    inner = word16(bytes, body + 2);
    body += tagBytes;
  }
  if (inner === IPV4) return ip4(bytes, body, end, fragments, into);
  return inner === IPV6 ? ip6(bytes, body, end, fragments, into) : 'not-ip';
}
