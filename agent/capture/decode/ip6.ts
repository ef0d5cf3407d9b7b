// An IPv6 packet, and fragments of one (RFC 8200).
import type { Fragments } from './fragments.ts';
import { chain, header6 } from './ip6-header.ts';
import { type Bytes, type DecodeResult, type Packet, word16 } from './packet.ts';
import { transport, transportOfFirstFragment } from './transport.ts';

const NO_NEXT = 59;
/** Unlike in IPv4, addresses and id alone identify the fragments of a packet (RFC 8200 4.5). */
const anyProtocol = -1;

export function ip6(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  const payloadLength = end - at < 6 ? 0 : word16(bytes, at + 4);
  // 0: a jumbogram, or segmentation offload.
  const bodyEnd = payloadLength === 0 ? end : Math.min(end, at + 40 + payloadLength);
  if (!header6(bytes, at, bodyEnd, into)) return 'corrupt';
  const { fragment, fragmentId, next } = chain;
  if (fragment === 'later') return fragments.resolveLater(fragmentId, anyProtocol, into);
  if (fragment === 'first') {
    const decoded = transportOfFirstFragment(next, bytes, chain.at, bodyEnd, into);
    return fragments.rememberFirst(fragmentId, anyProtocol, into, decoded);
  }
  return next === NO_NEXT ? 'packet' : transport(next, bytes, chain.at, bodyEnd, into);
}
