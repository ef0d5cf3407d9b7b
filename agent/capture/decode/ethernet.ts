// The Ethernet header, 802.1Q and QinQ tags, and the EtherType after them (IEEE 802.3, 802.1Q).
import { followHeaders, payload } from './encapsulation.ts';
import { etherTypes } from './ether-type.ts';
import type { Fragments } from './fragments.ts';
import { ip4 } from './ip4.ts';
import { ip6 } from './ip6.ts';
import { type Bytes, type DecodeResult, type Packet, word16 } from './packet.ts';

const headerBytes = 14;
const tagBytes = 4;
const VLAN_ID = 0x0fff;
const { ipv4: IPV4, ipv6: IPV6, tag: TAG, serviceTag: SERVICE_TAG, oldServiceTag: OLD_SERVICE_TAG } = etherTypes;

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
    into.vlan = ((into.vlan & VLAN_ID) << 12) | (word16(bytes, body) & VLAN_ID);
    inner = word16(bytes, body + 2);
    body += tagBytes;
  }
  if (inner === IPV4) return ip4(bytes, body, end, fragments, into);
  if (inner === IPV6) return ip6(bytes, body, end, fragments, into);
  return into.tunnels === 'opaque' ? 'not-ip' : otherType(inner, bytes, body, end, fragments, into);
}

function otherType(
  type: number,
  bytes: Bytes,
  at: number,
  end: number,
  fragments: Fragments,
  into: Packet,
): DecodeResult {
  const followed = followHeaders(type, bytes, at, end);
  if (followed !== 'payload') return followed;
  if (payload.type === IPV4) return ip4(bytes, payload.at, end, fragments, into);
  if (payload.type === IPV6) return ip6(bytes, payload.at, end, fragments, into);
  into.inner = 'ethernet';
  into.innerAt = payload.at;
  return 'carrier';
}
