// Recognises an Ethernet frame where no header says what follows.
import { etherTypes } from './ether-type.ts';
import { type Bytes, word16 } from './packet.ts';

export const ethernetBytes = 14;
export const tagBytes = 4;
const { ipv4: IPV4, ipv6: IPV6, tag: TAG, serviceTag: SERVICE_TAG } = etherTypes;

/** A frame that carries IP, directly or after one tag. */
export function seemsEthernet(bytes: Bytes, at: number, end: number): boolean {
  if (end - at <= ethernetBytes) return false;
  const type = word16(bytes, at + 12);
  if (type === IPV4) return bytes[at + ethernetBytes]! >> 4 === 4;
  if (type === IPV6) return bytes[at + ethernetBytes]! >> 4 === 6;
  if ((type !== TAG && type !== SERVICE_TAG) || end - at < ethernetBytes + tagBytes) return false;
  const tagged = word16(bytes, at + 16);
  return tagged === IPV4 || tagged === IPV6 || tagged === TAG;
}
