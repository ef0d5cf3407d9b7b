// Decodes a frame for comparison in tests, with the ends as text.
import { Fragments } from '../../agent/capture/decode/fragments.ts';
import { decodeFrame } from '../../agent/capture/decode/frame.ts';
import { linkTypes } from '../../agent/capture/decode/link-type.ts';
import { type DecodeResult, Packet } from '../../agent/capture/decode/packet.ts';
import { addressFromBytes } from '../../model/address.ts';
import { protocolName } from '../../model/protocol.ts';

export type DecodedPacket = {
  as: DecodeResult;
  /** `TCP 10.0.1.2:40000 -> 10.0.2.3:80`, in the direction of the connection. */
  tuple: string;
} & Pick<Packet, 'bytes' | 'initiator' | 'quoted' | 'unreachable' | 'tcpFlags' | 'sequence' | 'acknowledged'> &
  Pick<Packet, 'interfaceIndex'>;

/** `length` is the length on the wire; the default is the length of the frame. */
export type DecodeOptions = {
  linkType?: number;
  tunnels?: 'decapsulate' | 'opaque';
  fragments?: Fragments;
  length?: number;
};

export function decoded(frame: Buffer, options: DecodeOptions = {}): DecodedPacket {
  const { linkType = linkTypes.ethernet, tunnels = 'opaque', fragments = new Fragments() } = options;
  const packet = new Packet(tunnels);
  const as = decodeFrame(linkType, frame, 0, frame.length, options.length ?? frame.length, fragments, packet);
  return { as, ...packet, tuple: tupleOf(packet) };
}

export function tupleOf(packet: Packet): string {
  const { protocol, source, sourcePort, destination, destinationPort } = packet;
  return `${protocolName(protocol)} ${endOf(source, sourcePort)} -> ${endOf(destination, destinationPort)}`;
}

function endOf(words: Uint32Array, port: number): string {
  const bytes = Buffer.alloc(16);
  for (const [i, word] of words.entries()) bytes.writeUInt32BE(word, i * 4);
  const address = addressFromBytes(bytes);
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
