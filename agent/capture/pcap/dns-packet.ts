// The DNS packet in a decoded frame.
import { TCP } from '../../../model/protocol.ts';
import { SYN } from '../../../model/record.ts';
import { DNS } from '../decode/dns.ts';
import type { Packet } from '../decode/packet.ts';
import { addressText } from '../flows/address-text.ts';
import type { DnsPacket, PodDirection } from '../source.ts';

/**
 * By the ports: towards a server is from the pod. Undefined if both ends have port 53, because it is not known then which
 * one is the server.
 */
export function directionByPort(packet: Packet): PodDirection | undefined {
  if (packet.sourcePort === packet.destinationPort) return undefined;
  return packet.destinationPort === DNS ? 'from-pod' : 'to-pod';
}

/** `bytes` is the frame's buffer. Undefined for a segment without data, unless a server's stream begins with it. */
export function dnsPacketOf(
  packet: Packet,
  bytes: Uint8Array,
  interfaceIndex: number,
  direction: PodDirection,
  timeUs: number,
): DnsPacket | undefined {
  const { protocol, tcpFlags, dnsStart, dnsEnd, source, destination } = packet;
  const fromPod = direction === 'from-pod';
  if (protocol === TCP && dnsEnd <= dnsStart && (fromPod || (tcpFlags & SYN) === 0)) return undefined;
  return {
    interfaceIndex,
    direction,
    protocol,
    client: addressText(fromPod ? source : destination, 0),
    clientPort: fromPod ? packet.sourcePort : packet.destinationPort,
    server: addressText(fromPod ? destination : source, 0),
    tcpFlags,
    sequence: packet.sequence,
    payload: bytes.subarray(dnsStart, dnsEnd),
    timeUs,
  };
}
