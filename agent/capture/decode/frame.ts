// Decodes a frame of any supported link type.
// hot, once a packet: allocates only for fragments; make bench-capture, budget replay-vs-nfpcapd
import { cooked, cooked2 } from './cooked.ts';
import { etherTypes } from './ether-type.ts';
import { ethernet, etherType } from './ethernet.ts';
import type { Fragments } from './fragments.ts';
import { ip4 } from './ip4.ts';
import { ip6 } from './ip6.ts';
import { linkTypes } from './link-type.ts';
import { nflogPacket } from './nflog.ts';
import { OuterPacket } from './outer-packet.ts';
import { type Bytes, type DecodeResult, type Packet, word16 } from './packet.ts';
import { seemsIp } from './seems-ip.ts';
import { avs, radiotap, wifi } from './wifi.ts';

/** A packet in more tunnels than this is lost. */
export const maxTunnels = 8;
const encBytes = 12;
const cHdlcBytes = 4;
const ppiBytes = 8;
const outer = new OuterPacket();

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
  let decoded = decodeOuter(linkType, bytes, start, end, fragments, into);
  outer.isKnown = false;
  for (let tunnels = 0; decoded === 'carrier' && into.inner !== 'nothing'; tunnels++) {
    if (tunnels === maxTunnels) return 'nested-too-deep';
    if (into.ipAt >= 0) outer.keep(into);
    decoded = decodePayload(bytes, start, end, onWire, fragments, into);
    if (outer.isKnown && !isInTunnel(decoded, bytes, end, into)) {
      outer.restore(into);
      return 'packet';
    }
  }
  return decoded;
}

/**
 * Anybody can use the port or the protocol number of a tunnel. Without IP inside, it is a flow like any other: a pod must
 * not be able to hide one. Of a cut frame, nobody knows.
 */
function isInTunnel(decoded: DecodeResult, bytes: Bytes, end: number, into: Packet): boolean {
  if (decoded === 'corrupt' && into.cut) return true;
  if (into.ipAt >= 0) return seemsIp(bytes, into.ipAt, end, into.cut);
  return decoded === 'carrier';
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
      return byVersion(bytes, start, end, fragments, into);
    case linkTypes.ipv4:
      return ip4(bytes, start, end, fragments, into);
    case linkTypes.ipv6:
      return ip6(bytes, start, end, fragments, into);
    default:
      return decodeUncommon(linkType, bytes, start, end, fragments, into);
  }
}

function decodeUncommon(
  linkType: number,
  bytes: Bytes,
  start: number,
  end: number,
  fragments: Fragments,
  into: Packet,
): DecodeResult {
  switch (linkType) {
    case linkTypes.ppp:
    case linkTypes.pppHdlc:
      return ppp(bytes, start, end, fragments, into);
    // A byte for the direction, in place of the address or before it.
    case linkTypes.pppd:
      return ppp(bytes, start + 2, end, fragments, into);
    case linkTypes.pppWithDirection:
      return ppp(bytes, start + 1, end, fragments, into);
    case linkTypes.pppoe:
      return etherType(etherTypes.pppoeSession, bytes, start, end, fragments, into);
    case linkTypes.cHdlc:
      return cHdlc(bytes, start, end, fragments, into);
    case linkTypes.cHdlcWithDirection:
      return cHdlc(bytes, start + 1, end, fragments, into);
    case linkTypes.mpls:
      return etherType(etherTypes.mpls, bytes, start, end, fragments, into);
    case linkTypes.enc:
      return byVersion(bytes, start + encBytes, end, fragments, into);
    case linkTypes.pflog:
      return end > start ? byVersion(bytes, start + ((bytes[start]! + 3) & ~3), end, fragments, into) : 'corrupt';
    case linkTypes.nflog:
      return nflog(bytes, start, end, fragments, into);
    case linkTypes.wifi:
      return wifi(bytes, start, end, false, fragments, into);
    case linkTypes.radiotap:
      return radiotap(bytes, start, end, fragments, into);
    case linkTypes.avs:
      return avs(bytes, start, end, fragments, into);
    case linkTypes.ppi:
      return ppi(bytes, start, end, fragments, into);
    default:
      return 'unknown-link-type';
  }
}

/** A packet in a tunnel is counted without the tunnel's headers. */
function decodePayload(
  bytes: Bytes,
  start: number,
  end: number,
  length: number,
  fragments: Fragments,
  into: Packet,
): DecodeResult {
  const { inner, innerAt, innerType, interfaceIndex, vlan } = into;
  into.clear(length - (innerAt - start));
  into.interfaceIndex = interfaceIndex;
  into.vlan = vlan;
  if (innerAt > end) return 'corrupt';
  if (inner === 'ethernet') return ethernet(bytes, innerAt, end, fragments, into);
  if (inner === 'ether-type') return etherType(innerType, bytes, innerAt, end, fragments, into);
  return byVersion(bytes, innerAt, end, fragments, into);
}

function byVersion(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  if (end <= at) return 'corrupt';
  const version = bytes[at]! >> 4;
  if (version === 4) return ip4(bytes, at, end, fragments, into);
  return version === 6 ? ip6(bytes, at, end, fragments, into) : 'not-ip';
}

function ppp(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  // A port may have Cisco's framing instead (RFC 1662, RFC 1547).
  if (end - at >= cHdlcBytes && (bytes[at] === 0x0f || bytes[at] === 0x8f))
    return cHdlc(bytes, at, end, fragments, into);
  return etherType(etherTypes.ppp, bytes, at, end, fragments, into);
}

/** Two bytes of address and control, then the EtherType. */
function cHdlc(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  if (end - at < cHdlcBytes) return 'corrupt';
  return etherType(word16(bytes, at + 2), bytes, at + cHdlcBytes, end, fragments, into);
}

function nflog(bytes: Bytes, start: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  const at = nflogPacket(bytes, start, end);
  if (at <= 0) return at < 0 ? 'corrupt' : 'not-ip';
  return byVersion(bytes, at, end, fragments, into);
}

/** Fields about the packet, then a frame of the link type that the header names; numbers are little-endian. */
function ppi(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  if (end - at < ppiBytes) return 'corrupt';
  const length = bytes[at + 2]! | (bytes[at + 3]! << 8);
  const linkType = bytes[at + 4]! | (bytes[at + 5]! << 8);
  if (length < ppiBytes || end - at < length) return 'corrupt';
  if (linkType === linkTypes.ppi) return 'unknown-link-type';
  return decodeOuter(linkType, bytes, at + length, end, fragments, into);
}
