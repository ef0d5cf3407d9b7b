// The headers between a link header and IP, by EtherType: tags, LLC, PPPoE, MPLS, NSH. Only capture files open them. A pod
// must not be able to hide its packets, or to forge those of others, by a header that its node ignores.
import { etherTypes, maxLength, nextProtocols } from './ether-type.ts';
import { llcBytes, llcLength, llcType } from './llc.ts';
import { longTagLength } from './long-tag.ts';
import { afterLabels, followLabels } from './mpls.ts';
import { type Bytes, word16 } from './packet.ts';
import { pppFramingLength, pppProtocolLength, pppType } from './ppp.ts';

const tagBytes = 4;
const vnTagBytes = 6;
const hsrBytes = 6;
const extenderTagBytes = 8;
/** The tag, two link addresses, and the EtherType. */
const backboneTagBytes = 18;
const pppoeBytes = 6;
const minNshBytes = 8;

/** Where the headers end; one object for all packets. `type` is the EtherType of what follows: IP, or an Ethernet frame. */
export const payload = { type: 0, at: 0 };

/** Follows the headers and fills `payload`. */
export function followHeaders(
  first: number,
  bytes: Bytes,
  start: number,
  end: number,
): 'payload' | 'not-ip' | 'corrupt' {
  let type = first;
  let at = start;
  for (;;) {
    switch (type) {
      case etherTypes.ipv4:
      case etherTypes.ipv6:
      case etherTypes.ethernet:
        payload.type = type;
        payload.at = at;
        return 'payload';
      case etherTypes.tag:
      case etherTypes.serviceTag:
      case etherTypes.oldServiceTag:
      case etherTypes.olderServiceTag:
        at += tagBytes;
        break;
      case etherTypes.vnTag:
        at += vnTagBytes;
        break;
      case etherTypes.hsr:
        at += hsrBytes;
        break;
      case etherTypes.ciscoMetadata:
      case etherTypes.aristaTime:
      case etherTypes.macsec: {
        const length = longTagLength(type, bytes, at, end);
        if (length <= 0) return length === 0 ? 'not-ip' : 'corrupt';
        at += length;
        break;
      }
      case etherTypes.extenderTag:
        at += extenderTagBytes;
        break;
      case etherTypes.backboneTag:
        at += backboneTagBytes;
        break;
      case etherTypes.pppoeSession:
        if (end - at <= pppoeBytes) return 'corrupt';
        // Version and type are 1, and the code of a session is 0 (RFC 2516 4).
        if (word16(bytes, at) !== 0x1100) return 'not-ip';
        at += pppoeBytes;
        type = etherTypes.ppp;
        continue;
      case etherTypes.ppp: {
        at += pppFramingLength(bytes, at, end);
        if (end <= at || end - at < pppProtocolLength(bytes, at)) return 'corrupt';
        type = pppType(bytes, at);
        at += pppProtocolLength(bytes, at);
        if (type === 0) return 'not-ip';
        continue;
      }
      case etherTypes.mpls:
      case etherTypes.mplsUpstream:
        if (!followLabels(bytes, at, end)) return 'corrupt';
        if (afterLabels.type === 0) return 'not-ip';
        type = afterLabels.type;
        at = afterLabels.at;
        continue;
      case etherTypes.nsh: {
        const length = end - at < minNshBytes ? 0 : (bytes[at + 1]! & 0x3f) * 4;
        if (length < minNshBytes) return 'corrupt';
        type = nextProtocols[bytes[at + 3]!] ?? 0;
        at += length;
        if (type === 0) return 'not-ip';
        continue;
      }
      default: {
        if (type > maxLength && type !== etherTypes.longLlc) return 'not-ip';
        if (end - at < llcBytes) return 'corrupt';
        type = llcType(bytes, at, end);
        if (type === 0) return 'not-ip';
        at += llcLength(bytes, at);
        continue;
      }
    }
    // A tag ends with the EtherType of what follows.
    if (end < at) return 'corrupt';
    type = word16(bytes, at - 2);
  }
}
