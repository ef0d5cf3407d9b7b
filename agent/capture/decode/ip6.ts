// An IPv6 packet, and fragments of one (RFC 8200).
import type { Fragments } from './fragments.ts';
import { chain, hasMappedAddress, header6 } from './ip6-header.ts';
import { type Bytes, type DecodeResult, type Packet, word16 } from './packet.ts';
import { transport, transportOfPart } from './transport.ts';

const NO_NEXT = 59;
/** Unlike in IPv4, addresses and id alone identify the fragments of a packet (RFC 8200 4.5). */
const anyProtocol = -1;

export function ip6(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  into.ipAt = at;
  const payloadLength = end - at < 6 ? 0 : word16(bytes, at + 4);
  // 0: a jumbogram, or segmentation offload.
  const bodyEnd = payloadLength === 0 ? end : Math.min(end, at + 40 + payloadLength);
  if (!header6(bytes, at, bodyEnd, into)) return 'corrupt';
  if (hasMappedAddress(into)) return 'mapped-address';
  const { fragment, fragmentId, fragmentBody, next } = chain;
  if (fragment === 'later')
    return fragments.later(fragmentId, anyProtocol, chain.fragmentOffset, bytes, chain.at, bodyEnd, into);
  if (fragment === 'first')
    return fragments.first(fragmentId, anyProtocol, bytes, chain.at, bodyEnd, into, chain.at === fragmentBody);
  if (next === NO_NEXT) return 'packet';
  if (!into.cut || bodyEnd < end) return transport(next, bytes, chain.at, bodyEnd, into);
  return transportOfPart(next, bytes, chain.at, bodyEnd, at + 40 + payloadLength - chain.at, into);
}
