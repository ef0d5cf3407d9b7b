// The IPv6 header and its extension headers (RFC 8200), of a packet or of a quoted packet in an ICMP error.
import { type Bytes, type Packet, word16, word32 } from './packet.ts';

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION = 60;
const MOBILITY = 135;
/** More than any usual packet has. Kernels accept more, so the payload of such a packet stays unread, and it counts. */
const maxExtensionHeaders = 16;

/**
 * The end of the extension headers; one object for all packets. `at` is -1 if they are cut off. `fragmentBody`: the end of
 * the fragment header.
 */
export const chain = {
  at: 0,
  next: 0,
  fragment: 'none' as 'none' | 'first' | 'later',
  fragmentId: 0,
  fragmentOffset: 0,
  fragmentBody: 0,
};

/** Reads addresses and protocol and fills `chain`; false if the header or its extensions are invalid. */
export function header6(bytes: Bytes, at: number, end: number, into: Packet): boolean {
  if (end - at < 40 || bytes[at]! >> 4 !== 6) return false;
  for (let i = 0; i < 4; i++) {
    into.source[i] = word32(bytes, at + 8 + i * 4);
    into.destination[i] = word32(bytes, at + 24 + i * 4);
  }
  followExtensions(bytes, bytes[at + 6]!, at + 40, end);
  into.protocol = chain.next;
  return chain.at >= 0;
}

/**
 * No host may send an IPv4-mapped address (RFC 4291 2.5.5.2), and Linux drops it. It is not the address of the IPv4 host,
 * though records write both alike.
 */
export function hasMappedAddress({ source, destination }: Packet): boolean {
  return isMapped(source) || isMapped(destination);
}

function isMapped(words: Uint32Array): boolean {
  return words[2] === 0xffff && words[0] === 0 && words[1] === 0;
}

function followExtensions(bytes: Bytes, first: number, start: number, end: number): void {
  let next = first;
  let at = start;
  chain.fragment = 'none';
  for (let headers = 0; headers < maxExtensionHeaders && isExtension(next); headers++) {
    if (end - at < 8) {
      chain.at = -1;
      return;
    }
    let length = 8;
    if (next === FRAGMENT) {
      const field = word16(bytes, at + 2);
      chain.fragmentId = word32(bytes, at + 4);
      chain.fragmentOffset = field & 0xfff8;
      chain.fragmentBody = at + length;
      // No offset and no more fragments: an atomic fragment, which is a whole packet (RFC 6946).
      chain.fragment = field >> 3 !== 0 ? 'later' : (field & 1) !== 0 ? 'first' : 'none';
    } else if (next === AUTHENTICATION) length = (bytes[at + 1]! + 2) * 4;
    else length = (bytes[at + 1]! + 1) * 8;
    next = bytes[at]!;
    at += length;
    // In a later fragment, payload follows, not another header (RFC 8200 4.5).
    if (chain.fragment === 'later') break;
  }
  chain.next = next;
  chain.at = at;
}

function isExtension(next: number): boolean {
  switch (next) {
    case HOP_BY_HOP:
    case ROUTING:
    case FRAGMENT:
    case AUTHENTICATION:
    case DESTINATION:
    case MOBILITY:
      return true;
    default:
      return false;
  }
}
