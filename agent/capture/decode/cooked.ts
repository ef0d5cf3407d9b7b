// Linux cooked headers, which `tcpdump -i any` writes instead of Ethernet headers (LINKTYPE_LINUX_SLL,
// LINKTYPE_LINUX_SLL2).
import { etherType } from './ethernet.ts';
import type { Fragments } from './fragments.ts';
import { type Bytes, type DecodeResult, type Packet, word16, word32 } from './packet.ts';

const headerBytes = 16;
const header2Bytes = 20;

export function cooked(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  if (end - at < headerBytes) return 'corrupt';
  return etherType(word16(bytes, at + 14), bytes, at + headerBytes, end, fragments, into);
}

/** The second version names the interface. So a packet seen at two interfaces is not counted twice at one. */
export function cooked2(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  if (end - at < header2Bytes) return 'corrupt';
  into.interfaceIndex = word32(bytes, at + 4);
  return etherType(word16(bytes, at), bytes, at + header2Bytes, end, fragments, into);
}
