// Decodes a frame of any supported link type.
// hot, once a packet: allocates only for fragments; make bench-capture, budget replay-vs-nfpcapd
import { cooked, cooked2 } from './cooked.ts';
import { ethernet } from './ethernet.ts';
import type { Fragments } from './fragments.ts';
import { ip4 } from './ip4.ts';
import { ip6 } from './ip6.ts';
import { linkTypes } from './link-type.ts';
import type { Bytes, DecodeResult, Packet } from './packet.ts';

/**
 * The captured bytes of the frame are from `start` to `end`; `length` is its length on the wire. Returns
 * `unknown-link-type` for a link type that is not in link-type.ts. Never throws.
 */
export function decodeFrame(
  linkType: number,
  bytes: Bytes,
  start: number,
  end: number,
  length: number,
  fragments: Fragments,
  into: Packet,
): DecodeResult {
  // A file may state a length on the wire that is below the captured length.
  const onWire = Math.max(length, end - start);
  into.clear(onWire);
  into.cut = length !== end - start;
  const decoded = decodeOuter(linkType, bytes, start, end, fragments, into);
  if (decoded !== 'carrier' || into.inner === 'nothing') return decoded;
  return decodePayload(bytes, start, end, onWire, fragments, into);
}

function decodeOuter(
  linkType: number,
  bytes: Bytes,
  start: number,
  end: number,
  fragments: Fragments,
  into: Packet,
): DecodeResult {
  switch (linkType) {
    case linkTypes.ethernet:
      return ethernet(bytes, start, end, fragments, into);
    case linkTypes.cooked:
      return cooked(bytes, start, end, fragments, into);
    case linkTypes.cooked2:
      return cooked2(bytes, start, end, fragments, into);
    case linkTypes.null:
    case linkTypes.loop:
      return byVersion(bytes, start + 4, end, fragments, into);
    case linkTypes.raw:
    case linkTypes.rawBsd:
    case linkTypes.rawOpenBsd:
    case linkTypes.ipv4:
    case linkTypes.ipv6:
      return byVersion(bytes, start, end, fragments, into);
    default:
      return 'unknown-link-type';
  }
}

/** The packet in the tunnel, counted without the tunnel's headers. A tunnel in a tunnel stays a carrier. */
function decodePayload(
  bytes: Bytes,
  start: number,
  end: number,
  length: number,
  fragments: Fragments,
  into: Packet,
): DecodeResult {
  const { inner, innerAt, interfaceIndex } = into;
  into.clear(length - (innerAt - start));
  into.interfaceIndex = interfaceIndex;
  return inner === 'ethernet'
    ? ethernet(bytes, innerAt, end, fragments, into)
    : byVersion(bytes, innerAt, end, fragments, into);
}

function byVersion(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  if (end <= at) return 'corrupt';
  const version = bytes[at]! >> 4;
  if (version === 4) return ip4(bytes, at, end, fragments, into);
  return version === 6 ? ip6(bytes, at, end, fragments, into) : 'not-ip';
}
