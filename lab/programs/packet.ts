// IP packets as bytes, with correct checksums: a kernel drops a packet with a wrong one. Pure; raw-peer.ts sends them.
import { type Address, addressBytes, addressFromBytes, isIpv6 } from '../../model/address.ts';
import { ICMP, TCP, UDP } from '../../model/protocol.ts';
import { ACK, FIN, PSH, RST, SYN } from '../../model/record.ts';

/** `checksumAt`: the offset of its checksum, which covers the addresses too; undefined if the body is complete. */
export type Body = { protocol: number; bytes: Buffer; checksumAt?: number };

export type TcpTraits = { sequence?: number; acknowledged?: number; payload?: Buffer };
export type Ip4Traits = { id?: number; options?: Buffer; totalLength?: number };

/** A TCP segment without IP options. */
export type Segment = {
  source: Address;
  sourcePort: number;
  destination: Address;
  destinationPort: number;
  flags: string;
  sequence: number;
  acknowledged: number;
  payload: Buffer;
};

const flagBits = { F: FIN, S: SYN, R: RST, P: PSH, A: ACK } as const;
type FlagLetter = keyof typeof flagBits;

const moreFragments = 0x2000;

/** `flags` are letters of FSRPA. */
export function tcp(from: number, to: number, flags: string, traits: TcpTraits = {}): Body {
  const { sequence = 1000, acknowledged = 0, payload = Buffer.alloc(0) } = traits;
  const bytes = Buffer.alloc(20 + payload.length);
  bytes.writeUInt16BE(from, 0);
  bytes.writeUInt16BE(to, 2);
  bytes.writeUInt32BE(sequence >>> 0, 4);
  bytes.writeUInt32BE(acknowledged >>> 0, 8);
  bytes[12] = 0x50;
  for (const letter of flags) bytes[13]! |= flagBits[letter as FlagLetter];
  bytes.writeUInt16BE(64_000, 14);
  payload.copy(bytes, 20);
  return { protocol: TCP, bytes, checksumAt: 16 };
}

export function udp(from: number, to: number, payload: Buffer): Body {
  const bytes = Buffer.alloc(8 + payload.length);
  bytes.writeUInt16BE(from, 0);
  bytes.writeUInt16BE(to, 2);
  bytes.writeUInt16BE(bytes.length, 4);
  payload.copy(bytes, 8);
  return { protocol: UDP, bytes, checksumAt: 6 };
}

export function echo(identifier: number, payload: Buffer): Body {
  return echoMessage(8, identifier, payload);
}

export function echoReply(identifier: number, payload: Buffer): Body {
  return echoMessage(0, identifier, payload);
}

function echoMessage(type: number, identifier: number, payload: Buffer): Body {
  return icmp(type, 0, Buffer.of(identifier >>> 8, identifier & 0xff, 0, 1), payload);
}

/** The error that a host sends if `quoted`, a whole IPv4 packet, cannot be delivered: code 1 host, 3 port, 13 prohibited. */
export function unreachable(code: number, quoted: Buffer): Body {
  return icmp(3, code, Buffer.alloc(4), quoted.subarray(0, 28));
}

function icmp(type: number, code: number, rest: Buffer, payload: Buffer): Body {
  const bytes = Buffer.concat([Buffer.of(type, code, 0, 0), rest, payload]);
  bytes.writeUInt16BE(checksum(bytes), 2);
  return { protocol: ICMP, bytes };
}

/** A whole IP packet; the family is that of the addresses. */
export function packet(source: Address, destination: Address, body: Body, traits: Ip4Traits = {}): Buffer {
  const bytes = withChecksum(source, destination, body);
  return isIpv6(source)
    ? Buffer.concat([header6(source, destination, body.protocol, bytes.length), bytes])
    : Buffer.concat([header4(source, destination, body.protocol, bytes.length, traits), bytes]);
}

/** The packet in fragments; the first has `firstBytes` of the body, a multiple of 8. IPv4 only. */
export function fragments(source: Address, destination: Address, body: Body, id: number, firstBytes: number): Buffer[] {
  const bytes = withChecksum(source, destination, body);
  return [0, firstBytes].map((offset) => {
    const part = offset === 0 ? bytes.subarray(0, firstBytes) : bytes.subarray(firstBytes);
    const header = header4(source, destination, body.protocol, part.length, { id });
    header.writeUInt16BE((offset === 0 ? moreFragments : 0) | (offset / 8), 6);
    header.writeUInt16BE(0, 10);
    header.writeUInt16BE(checksum(header), 10);
    return Buffer.concat([header, part]);
  });
}

/** The two numbers where TCP and UDP over IPv4 have their ports; empty if the packet ends before them. */
export function portsOf(ip: Buffer): readonly number[] {
  const at = (ip[0]! & 0x0f) * 4;
  return ip.length < at + 4 ? [] : [ip.readUInt16BE(at), ip.readUInt16BE(at + 2)];
}

/** Undefined if it is not TCP over IPv4, or is cut off. */
export function segmentOf(ip: Buffer): Segment | undefined {
  const headerBytes = (ip[0]! & 0x0f) * 4;
  if (ip.length < headerBytes + 20 || ip[0]! >>> 4 !== 4 || ip[9] !== TCP) return undefined;
  const tcpBytes = ip.subarray(headerBytes, ip.readUInt16BE(2));
  const letters = Object.keys(flagBits) as FlagLetter[];
  return {
    source: addressFromBytes(ip.subarray(12, 16)),
    sourcePort: tcpBytes.readUInt16BE(0),
    destination: addressFromBytes(ip.subarray(16, 20)),
    destinationPort: tcpBytes.readUInt16BE(2),
    flags: letters.filter((letter) => (tcpBytes[13]! & flagBits[letter]) !== 0).join(''),
    sequence: tcpBytes.readUInt32BE(4),
    acknowledged: tcpBytes.readUInt32BE(8),
    payload: tcpBytes.subarray((tcpBytes[12]! >>> 4) * 4),
  };
}

/** The ones' complement sum of RFC 1071. */
export function checksum(bytes: Buffer, start = 0): number {
  let sum = start;
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += bytes.readUInt16BE(i);
  if (bytes.length % 2 === 1) sum += bytes.at(-1)! << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

function withChecksum(source: Address, destination: Address, { protocol, bytes, checksumAt }: Body): Buffer {
  if (checksumAt === undefined) return bytes;
  const pseudo = Buffer.concat([
    addressBytes(source),
    addressBytes(destination),
    Buffer.of(0, protocol, bytes.length >>> 8, bytes.length & 0xff),
  ]);
  const filled = Buffer.from(bytes);
  filled.writeUInt16BE(checksum(Buffer.concat([pseudo, filled])), checksumAt);
  return filled;
}

function header4(
  source: Address,
  destination: Address,
  protocol: number,
  bodyBytes: number,
  { id = 1, options = Buffer.alloc(0), totalLength }: Ip4Traits,
): Buffer {
  const header = Buffer.alloc(20 + options.length);
  header[0] = 0x40 | (header.length / 4);
  header.writeUInt16BE(totalLength ?? header.length + bodyBytes, 2);
  header.writeUInt16BE(id, 4);
  header[8] = 64;
  header[9] = protocol;
  header.set(addressBytes(source), 12);
  header.set(addressBytes(destination), 16);
  options.copy(header, 20);
  header.writeUInt16BE(checksum(header), 10);
  return header;
}

function header6(source: Address, destination: Address, protocol: number, bodyBytes: number): Buffer {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(bodyBytes, 4);
  header[6] = protocol;
  header[7] = 64;
  header.set(addressBytes(source), 8);
  header.set(addressBytes(destination), 24);
  return header;
}
