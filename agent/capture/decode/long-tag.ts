// Tags whose fields say how long they are: Cisco's metadata, Arista's times, MACsec (IEEE 802.1AE).
import { etherTypes } from './ether-type.ts';
import { type Bytes, word16 } from './packet.ts';

const minBytes = 6;
const typeBytes = 2;
const CISCO_VERSION = 1;
const ARISTA_TIME = 1;
/** By the lower byte of the version; the upper one is the kind of time. */
const aristaFormats = { seconds32: 0x10, seconds16: 0x20 };
const macsecTag = { version: 0x80, hasChannel: 0x20, encrypted: 0x08, changed: 0x04 };
const channelBytes = 8;

/** The length with the EtherType at its end; 0 if the tag is of a kind that is not opened, -1 if it is cut. */
export function longTagLength(type: number, bytes: Bytes, at: number, end: number): number {
  if (end - at < minBytes) return -1;
  if (type === etherTypes.ciscoMetadata) return bytes[at] === CISCO_VERSION ? 2 + bytes[at + 1]! * 4 + typeBytes : 0;
  return type === etherTypes.macsec ? macsecLength(bytes[at]!) : aristaLength(bytes, at);
}

/** The payload of an unencrypted frame is readable; its check value follows like padding. */
function macsecLength(control: number): number {
  if ((control & (macsecTag.version | macsecTag.encrypted | macsecTag.changed)) !== 0) return 0;
  return minBytes + ((control & macsecTag.hasChannel) === 0 ? 0 : channelBytes) + typeBytes;
}

function aristaLength(bytes: Bytes, at: number): number {
  if (word16(bytes, at) !== ARISTA_TIME) return 0;
  const format = bytes[at + 3]!;
  if (format === aristaFormats.seconds32) return 4 + 8 + typeBytes;
  return format === aristaFormats.seconds16 ? 4 + 6 + typeBytes : 0;
}
