// IP addresses and prefixes in one canonical form: equal addresses are equal strings.
import ipaddr from 'ipaddr.js';
import type { Brand } from './brand.ts';

/** Canonical text: dotted IPv4, RFC 5952 IPv6 (lower case, longest run of zeros folded). IPv4-mapped IPv6 is IPv4. */
export type Address = Brand<string, 'Address'>;

/** A CIDR block. `bytes` has 4 or 16 bytes with the host bits cleared; `bits` is the prefix length. */
export type Prefix = { readonly text: string; readonly bytes: Uint8Array; readonly bits: number };

/** The address in canonical form; undefined if the text is invalid. Zone ids are invalid. */
export function parseAddress(text: string): Address | undefined {
  if (!ipaddr.isValid(text) || text.includes('%')) return undefined;
  if (!text.includes(':') && !ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined;
  return ipaddr.process(text).toString() as Address;
}

/** 4 or 16 bytes in network order. */
export function addressBytes(address: Address): Uint8Array {
  return Uint8Array.from(ipaddr.parse(address).toByteArray());
}

/** Bytes in network order as one number. */
export function bytesToBigInt(bytes: Uint8Array): bigint {
  let number = 0n;
  for (const byte of bytes) number = (number << 8n) | BigInt(byte);
  return number;
}

/** The address of 4 or 16 bytes in network order. */
export function addressFromBytes(bytes: Uint8Array): Address {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` as Address;
  const address = ipaddr.fromByteArray(Array.from(bytes)) as ipaddr.IPv6;
  return (address.isIPv4MappedAddress() ? address.toIPv4Address() : address).toString() as Address;
}

export function isIpv6(address: Address): boolean {
  return address.includes(':');
}

/** The prefix with its host bits cleared; undefined if the text is not a CIDR block. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.lastIndexOf('/');
  if (slash < 0 || !/^\d{1,3}$/.test(text.slice(slash + 1))) return undefined;
  const address = parseAddress(text.slice(0, slash));
  if (address === undefined) return undefined;
  const bytes = addressBytes(address);
  const bits = Number(text.slice(slash + 1));
  if (bits > bytes.length * 8) return undefined;
  for (let i = 0; i < bytes.length; i++) bytes[i]! &= 0xff00 >> Math.min(8, Math.max(0, bits - i * 8));
  return { text: `${addressFromBytes(bytes)}/${bits}`, bytes, bits };
}

/** The 32 bits of an IPv4 address as an unsigned number; -1 for IPv6. Faster than a lookup in the cache of bytes. */
export function ipv4Bits(address: Address): number {
  let bits = 0;
  let octet = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === dot) {
      bits = bits * 256 + octet;
      octet = 0;
    } else if (code >= zero && code <= nine) octet = octet * 10 + code - zero;
    else return -1;
  }
  return bits * 256 + octet;
}

const [dot, zero, nine] = ['.', '0', '9'].map((one) => one.charCodeAt(0)) as [number, number, number];

/** Like `prefixContainsAddress`, for the bits of an IPv4 address. */
export function prefixContainsIpv4({ bytes, bits: length }: Prefix, bits: number): boolean {
  if (bytes.length !== 4) return false;
  if (length === 0) return true;
  const start = (bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!;
  return (bits ^ start) >>> (32 - length) === 0;
}

/** A prefix of the other family never contains the address. hot, once a verdict */
export function prefixContainsAddress(prefix: Prefix, address: Address): boolean {
  const bits = ipv4Bits(address);
  if (bits >= 0) return prefixContainsIpv4(prefix, bits);
  return prefix.bytes.length === 16 && prefixContainsBytes(prefix, cachedBytes(address));
}

/** Parsing an IPv6 address takes 1 µs, and the same addresses repeat. */
const bytesCache = new Map<Address, Uint8Array>();
const maxBytesCached = 65_536;

function cachedBytes(address: Address): Uint8Array {
  const known = bytesCache.get(address);
  if (known !== undefined) return known;
  if (bytesCache.size >= maxBytesCached) bytesCache.clear();
  const bytes = addressBytes(address);
  bytesCache.set(address, bytes);
  return bytes;
}

/** Like `prefixContainsAddress`, for the bytes of an address. */
export function prefixContainsBytes(prefix: Prefix, bytes: Uint8Array): boolean {
  if (bytes.length !== prefix.bytes.length) return false;
  const wholeBytes = prefix.bits >> 3;
  for (let i = 0; i < wholeBytes; i++) if (bytes[i] !== prefix.bytes[i]) return false;
  const remainingBits = prefix.bits & 7;
  if (remainingBits === 0) return true;
  return ((bytes[wholeBytes]! ^ prefix.bytes[wholeBytes]!) & (0xff00 >> remainingBits) & 0xff) === 0;
}
