// An IPv4 packet, and fragments of one (RFC 791).
import type { Fragments } from './fragments.ts';
import { AUTHENTICATION, afterAuthentication, FRAGMENT_OFFSET, header4, MORE_FRAGMENTS } from './ip4-header.ts';
import { type Bytes, type DecodeResult, type Packet, word16 } from './packet.ts';
import { transport, transportOfPart } from './transport.ts';

export function ip4(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  into.ipAt = at;
  const headerLength = header4(bytes, at, end, into);
  if (headerLength === 0) return 'corrupt';
  const totalLength = word16(bytes, at + 2);
  // 0: segmentation offload. Shorter than the frame: Ethernet padding follows.
  if (totalLength !== 0 && totalLength < headerLength) return 'corrupt';
  const bodyEnd = totalLength === 0 ? end : Math.min(end, at + totalLength);
  const field = word16(bytes, at + 6);
  const { protocol } = into;
  let body = at + headerLength;
  if (protocol === AUTHENTICATION && (field & FRAGMENT_OFFSET) === 0 && into.tunnels === 'decapsulate') {
    body = afterAuthentication(bytes, body, bodyEnd, into);
    if (body < 0) return 'corrupt';
  }
  if ((field & (FRAGMENT_OFFSET | MORE_FRAGMENTS)) === 0) {
    if (!into.cut || bodyEnd < end) return transport(into.protocol, bytes, body, bodyEnd, into);
    return transportOfPart(into.protocol, bytes, body, bodyEnd, at + totalLength - body, into);
  }
  const id = word16(bytes, at + 4);
  const offset = (field & FRAGMENT_OFFSET) * 8;
  if (offset !== 0) return fragments.later(id, protocol, offset, bytes, body, bodyEnd, into);
  return fragments.first(id, protocol, bytes, body, bodyEnd, into, body === at + headerLength);
}
