// The UDP header (RFC 768), and tunnels over UDP.
import { DNS } from './dns.ts';
import { type Bytes, type DecodeResult, type Packet, word16 } from './packet.ts';
import { ports } from './ports.ts';
import { genevePort, isVxlanPort } from './tunnel.ts';

export const udpHeaderBytes = 8;
const VXLAN_HAS_ID = 0x08;
const TRANSPARENT_ETHERNET = 0x6558;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;

export function udp(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  if (end - at < udpHeaderBytes) return 'corrupt';
  ports(bytes, at, into);
  if (into.sourcePort === DNS || into.destinationPort === DNS) {
    into.dnsStart = at + udpHeaderBytes;
    into.dnsEnd = Math.max(into.dnsStart, Math.min(end, at + word16(bytes, at + 4)));
  }
  if (into.tunnels === 'opaque') return 'packet';
  if (isVxlanPort(into.destinationPort)) return vxlan(bytes, at + udpHeaderBytes, end, into);
  return into.destinationPort === genevePort ? geneve(bytes, at + udpHeaderBytes, end, into) : 'packet';
}

/** A packet on the port without a VXLAN header is a flow like any other. */
function vxlan(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  if (end - at < 8 || (bytes[at]! & VXLAN_HAS_ID) === 0) return 'packet';
  into.inner = 'ethernet';
  into.innerAt = at + 8;
  return 'carrier';
}

function geneve(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  if (end - at < 8 || bytes[at]! >> 6 !== 0) return 'packet';
  const type = word16(bytes, at + 2);
  if (type === TRANSPARENT_ETHERNET) into.inner = 'ethernet';
  else if (type === IPV4 || type === IPV6) into.inner = 'ip';
  else return 'carrier';
  into.innerAt = at + 8 + (bytes[at]! & 0x3f) * 4;
  return 'carrier';
}
