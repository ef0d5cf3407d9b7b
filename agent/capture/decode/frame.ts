// From a frame of any link type to a packet of a connection (link types: https://www.tcpdump.org/linktypes.html).
// hot, once a packet: allocates nothing but for fragments; make bench-capture, budget replay-vs-nfpcapd
import type { Fragments } from './fragments.ts';
import { ip4 } from './ip4.ts';
import { ip6 } from './ip6.ts';
import { type Bytes, type Decoded, type Packet, word16 } from './packet.ts';

export const linkTypes = {
  null: 0,
  ethernet: 1,
  rawBsd: 12,
  rawOpenBsd: 14,
  raw: 101,
  loop: 108,
  cooked: 113,
  ipv4: 228,
  ipv6: 229,
  cooked2: 276,
} as const;

export function isKnownLinkType(linkType: number): boolean {
  return Object.values(linkTypes).some((one) => one === linkType);
}

/** `start` to `end` is what was captured of the frame, `length` what it was on the wire. Never throws. */
export function decodeFrame(
  linkType: number,
  bytes: Bytes,
  start: number,
  end: number,
  length: number,
  fragments: Fragments,
  into: Packet,
): Decoded {
  into.clear(length);
  switch (linkType) {
    case linkTypes.ethernet:
      return end - start < 14
        ? 'corrupt'
        : etherType(word16(bytes, start + 12), bytes, start + 14, end, fragments, into);
    case linkTypes.cooked:
      return end - start < 16
        ? 'corrupt'
        : etherType(word16(bytes, start + 14), bytes, start + 16, end, fragments, into);
    case linkTypes.cooked2:
      return end - start < 20 ? 'corrupt' : etherType(word16(bytes, start), bytes, start + 20, end, fragments, into);
    case linkTypes.null:
    case linkTypes.loop:
      return end - start < 4 ? 'corrupt' : byVersion(bytes, start + 4, end, fragments, into);
    default:
      return byVersion(bytes, start, end, fragments, into);
  }
}

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** 802.1Q, 802.1ad (QinQ) and the older tag of stacked VLANs. */
const tags: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);

function etherType(
  type: number,
  bytes: Bytes,
  start: number,
  end: number,
  fragments: Fragments,
  into: Packet,
): Decoded {
  let inner = type;
  let at = start;
  while (inner !== IPV4 && inner !== IPV6) {
    if (!tags.has(inner)) return 'not-ip';
    if (end - at < 4) return 'corrupt';
    inner = word16(bytes, at + 2);
    at += 4;
  }
  return inner === IPV4 ? ip4(bytes, at, end, fragments, into) : ip6(bytes, at, end, fragments, into);
}

function byVersion(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): Decoded {
  if (end <= at) return 'corrupt';
  const version = bytes[at]! >> 4;
  if (version === 4) return ip4(bytes, at, end, fragments, into);
  return version === 6 ? ip6(bytes, at, end, fragments, into) : 'not-ip';
}
