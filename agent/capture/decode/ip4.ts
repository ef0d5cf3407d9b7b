// An IPv4 packet, and fragments of one (RFC 791).
import type { Fragments } from './fragments.ts';
import { FRAGMENT_OFFSET, header4, MORE_FRAGMENTS } from './ip4-header.ts';
import { type Bytes, type DecodeResult, type Packet, word16 } from './packet.ts';
import { transport, transportOfFirstFragment } from './transport.ts';

export function ip4(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  const headerLength = header4(bytes, at, end, into);
  if (headerLength === 0) return 'corrupt';
  const totalLength = word16(bytes, at + 2);
  // 0: segmentation offload. Shorter than the frame: Ethernet padding follows.
  if (totalLength !== 0 && totalLength < headerLength) return 'corrupt';
  const bodyEnd = totalLength === 0 ? end : Math.min(end, at + totalLength);
  const field = word16(bytes, at + 6);
  if ((field & (FRAGMENT_OFFSET | MORE_FRAGMENTS)) === 0) {
    return transport(into.protocol, bytes, at + headerLength, bodyEnd, into);
  }
  const id = word16(bytes, at + 4);
  const { protocol } = into;
  if ((field & FRAGMENT_OFFSET) !== 0) return fragments.resolveLater(id, protocol, into);
  const decoded = transportOfFirstFragment(protocol, bytes, at + headerLength, bodyEnd, into);
  return fragments.rememberFirst(id, protocol, into, decoded);
}
