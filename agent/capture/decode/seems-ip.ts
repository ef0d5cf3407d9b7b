// Whether bytes seem to be an IP header: a port or a protocol number alone does not prove that a packet is in a tunnel.
import { type Bytes, word16 } from './packet.ts';

const header4Bytes = 20;
const header6Bytes = 40;
const maxLength = 0xffff;
/** Some devices leave the checksum of IPv4 to others, and capture 0. */
const NO_CHECKSUM = 0;

/** Whether the fields of the header fit together, and the packet fits into the frame. `isCut`: the frame goes on after `end`. */
export function seemsIp(bytes: Bytes, at: number, end: number, isCut: boolean): boolean {
  if (end - at < header4Bytes) return false;
  if (bytes[at]! >> 4 === 6) return fits6(bytes, at, end, isCut);
  if (bytes[at]! >> 4 !== 4) return false;
  const length = word16(bytes, at + 2);
  if (length > end - at && !isCut) return false;
  return word16(bytes, at + 10) === NO_CHECKSUM ? (bytes[at]! & 15) >= 5 : hasValidChecksum(bytes, at, end);
}

/** Padding or a check sequence may follow the packet. The length 0 is for packets that are too long for the field. */
export function fits6(bytes: Bytes, at: number, end: number, isCut: boolean): boolean {
  if (end - at < header6Bytes) return false;
  const length = word16(bytes, at + 4);
  if (length === 0) return end - at > maxLength || end - at === header6Bytes;
  return isCut || header6Bytes + length <= end - at;
}

export function hasValidChecksum(bytes: Bytes, at: number, end: number): boolean {
  const length = (bytes[at]! & 15) * 4;
  if (length < header4Bytes || end - at < length) return false;
  let sum = 0;
  for (let i = 0; i < length; i += 2) sum += word16(bytes, at + i);
  return sum % 0xffff === 0;
}
