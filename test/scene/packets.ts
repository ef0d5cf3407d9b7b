// Builds packets as bytes, from the outside in: `ethernet(ip4('10.0.1.2', '10.0.2.3', tcp(40000, 80)))`. Checksums are 0, as
// with checksum offload.
import { addressBytes } from '../../model/address.ts';
import { ACK, FIN, PSH, RST, SYN } from '../../model/record.ts';
import { ip } from './records.ts';

/** The payload of an IP packet and its protocol number. An IPv6 extension header includes everything after it. */
export type Body = { protocol: number; bytes: Buffer };
/** The payload of a frame. An IP packet can also be the body of a tunnel. */
export type Content = { etherType: number; bytes: Buffer };

/** The agent ignores U, E and W (URG, ECE, CWR). */
const flagBits: Record<string, number> = { F: FIN, S: SYN, R: RST, P: PSH, A: ACK, U: 0x20, E: 0x40, W: 0x80 };

export function tcp(
  from: number,
  to: number,
  flags = 'S',
  { sequence = 1000, acknowledged = 0, payload = 0 } = {},
): Body {
  let bits = 0;
  for (const flag of flags) bits |= flagBits[flag]!;
  return {
    protocol: 6,
    bytes: join(u16(from, to), u32(sequence, acknowledged), u8(0x50, bits), u16(512, 0, 0), payload),
  };
}

export function udp(from: number, to: number, payload: Buffer | number = 0): Body {
  const data = join(payload);
  return { protocol: 17, bytes: join(u16(from, to, 8 + data.length, 0), data) };
}

/** `chunk` is the type of the first chunk: 0 DATA, 1 INIT, 2 INIT-ACK. */
export function sctp(from: number, to: number, chunk = 0): Body {
  return { protocol: 132, bytes: join(u16(from, to), u32(7, 0), u8(chunk, 0), u16(20), 16) };
}

export function icmp(type: number, code: number, rest: Buffer | number = 4, payload: Buffer | number = 0): Body {
  return { protocol: 1, bytes: join(u8(type, code), u16(0), rest, payload) };
}

export function icmp6(type: number, code: number, rest: Buffer | number = 4, payload: Buffer | number = 0): Body {
  return { protocol: 58, bytes: join(u8(type, code), u16(0), rest, payload) };
}

/** The bytes after the checksum of an echo. */
export function echoOf(identifier: number, sequence = 1): Buffer {
  return u16(identifier, sequence);
}

export type Ip4Traits = { id?: number; offset?: number; more?: boolean; options?: number; totalLength?: number };

/** `offset` is the fragment offset in bytes; `options` is the length of the options in bytes. */
export function ip4(from: string, to: string, body: Body, traits: Ip4Traits = {}): Content & Body {
  const { id = 1, offset = 0, more = false, options = 0 } = traits;
  const headerLength = 20 + options;
  const totalLength = traits.totalLength ?? headerLength + body.bytes.length;
  const field = (more ? 0x2000 : 0) | (offset / 8);
  const head = join(u8(0x40 | (headerLength / 4), 0), u16(totalLength, id, field), u8(64, body.protocol), u16(0));
  const noOperation = Buffer.alloc(options, 1);
  const bytes = join(head, address(from), address(to), noOperation, body.bytes);
  return { etherType: 0x0800, protocol: 4, bytes };
}

export function ip6(from: string, to: string, body: Body, { payloadLength = body.bytes.length } = {}): Content & Body {
  const head = join(u32(0x60000000), u16(payloadLength), u8(body.protocol, 64));
  return { etherType: 0x86dd, protocol: 41, bytes: join(head, address(from), address(to), body.bytes) };
}

/** A hop-by-hop (0), routing (43), destination (60) or mobility (135) header of `8 * units` bytes. */
export function extension(protocol: 0 | 43 | 60 | 135, body: Body, units = 1): Body {
  return { protocol, bytes: join(u8(body.protocol, units - 1), 8 * units - 2, body.bytes) };
}

/** Unlike in the other headers, the length counts 4-byte words minus 2. */
export function authentication(body: Body): Body {
  return { protocol: 51, bytes: join(u8(body.protocol, 4), 22, body.bytes) };
}

export function fragment6(body: Body, { id = 1, offset = 0, more = false } = {}): Body {
  return { protocol: 44, bytes: join(u8(body.protocol, 0), u16(offset | (more ? 1 : 0)), u32(id), body.bytes) };
}

/** The payload of a later fragment, without a transport header. */
export function middle(protocol: number, length = 64): Body {
  return { protocol, bytes: Buffer.alloc(length, 0xee) };
}

export function arp(): Content {
  return { etherType: 0x0806, bytes: Buffer.alloc(28) };
}

export function tagged(content: Content, type = 0x8100, vlan = 100): Content {
  return { etherType: type, bytes: join(u16(vlan, content.etherType), content.bytes) };
}

export function ethernet({ etherType, bytes }: Content): Buffer {
  return join(u8(2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2), u16(etherType), bytes);
}

export function cooked({ etherType, bytes }: Content): Buffer {
  return join(u16(0, 1, 6), 8, u16(etherType), bytes);
}

export function cooked2({ etherType, bytes }: Content, interfaceIndex = 3): Buffer {
  return join(u16(etherType, 0), u32(interfaceIndex), u16(1), u8(0, 6), 8, bytes);
}

/** The UDP payload for port 4789. */
export function vxlan(frame: Buffer, flags = 0x08): Buffer {
  return join(u8(flags, 0, 0, 0), u32(42 << 8), frame);
}

/** The UDP payload for port 6081. `options` is the length of the options in bytes. */
export function geneve(type: number, inner: Buffer, options = 0): Buffer {
  return join(u8(options / 4, 0), u16(type), u32(42 << 8), options, inner);
}

/** A number is that many zero bytes. */
export function join(...parts: readonly (Buffer | number)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.alloc(part) : part)));
}

function address(text: string): Buffer {
  return Buffer.from(addressBytes(ip(text)));
}

export function u8(...values: number[]): Buffer {
  return Buffer.from(values);
}

export function u16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [i, value] of values.entries()) bytes.writeUInt16BE(value, i * 2);
  return bytes;
}

export function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4);
  return bytes;
}

/** Little-endian. */
export function numberLe(value: number, length: 2 | 4): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUIntLE(value, 0, length);
  return bytes;
}
