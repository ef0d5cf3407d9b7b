// The UDP header (RFC 768), and tunnels over UDP.
import { DNS } from './dns.ts';
import { etherTypes, isOpenedEtherType, nextProtocols } from './ether-type.ts';
import { gtp } from './gtp.ts';
import { afterLabels, followLabels } from './mpls.ts';
import { type Bytes, type DecodeResult, type Packet, word16 } from './packet.ts';
import { ports } from './ports.ts';
import { tunnelPorts } from './tunnel.ts';

export const udpHeaderBytes = 8;
const tunnelHeaderBytes = 8;
const VXLAN_HAS_ID = 0x08;
const GPE_HAS_PROTOCOL = 0x04;
const GPE_VERSION = 0x30;

export function udp(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  if (end - at < udpHeaderBytes) return 'corrupt';
  ports(bytes, at, into);
  if (into.sourcePort === DNS || into.destinationPort === DNS) {
    into.dnsStart = at + udpHeaderBytes;
    into.dnsEnd = Math.max(into.dnsStart, Math.min(end, at + word16(bytes, at + 4)));
  }
  return into.tunnels === 'opaque' ? 'packet' : tunnelOfPort(bytes, at + udpHeaderBytes, end, into);
}

/** A packet on the port without the tunnel's header is a flow like any other. */
function tunnelOfPort(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  switch (into.destinationPort) {
    case tunnelPorts.vxlan:
    case tunnelPorts.linuxVxlan:
      return vxlan(bytes, at, end, into);
    case tunnelPorts.vxlanGpe:
      return vxlanGpe(bytes, at, end, into);
    case tunnelPorts.geneve:
      return geneve(bytes, at, end, into);
    case tunnelPorts.gtp:
      return gtp(bytes, at, end, into);
    case tunnelPorts.mpls:
      return mpls(bytes, at, end, into);
    default:
      return 'packet';
  }
}

function vxlan(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  if (end - at < tunnelHeaderBytes || (bytes[at]! & VXLAN_HAS_ID) === 0) return 'packet';
  return into.carryType(etherTypes.ethernet, at + tunnelHeaderBytes);
}

/** Without the bit for a protocol, it is VXLAN. */
function vxlanGpe(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  if (end - at < tunnelHeaderBytes || (bytes[at]! & VXLAN_HAS_ID) === 0) return 'packet';
  if ((bytes[at]! & GPE_HAS_PROTOCOL) === 0) return vxlan(bytes, at, end, into);
  const type = (bytes[at]! & GPE_VERSION) === 0 ? (nextProtocols[bytes[at + 3]!] ?? 0) : 0;
  return type === 0 ? 'packet' : into.carryType(type, at + tunnelHeaderBytes);
}

function geneve(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  if (end - at < tunnelHeaderBytes || bytes[at]! >> 6 !== 0) return 'packet';
  const type = word16(bytes, at + 2);
  if (!isOpenedEtherType(type)) return 'packet';
  return into.carryType(type, at + tunnelHeaderBytes + (bytes[at]! & 0x3f) * 4);
}

function mpls(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  return followLabels(bytes, at, end) && afterLabels.type !== 0 ? into.carryType(etherTypes.mpls, at) : 'packet';
}
