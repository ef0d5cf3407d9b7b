// The zone of an address, as far as a node can know it. flows.bpf.c has the same rules.
import type { RemoteZone } from '../../../model/unrecorded.ts';

const mappedPrefix = 0xffff; // ::ffff:0:0/96

/** The address is four words in host order at `at`; IPv4 is mapped. */
export function remoteZoneAt(words: ArrayLike<number>, at: number): RemoteZone {
  const [first, second, third, last] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!];
  if (first === 0 && second === 0) {
    if (third === mappedPrefix) return zoneOfIpv4(last);
    return third === 0 && last <= 1 ? 'local' : 'public'; // :: and ::1
  }
  const top = first >>> 24;
  if (top === 0xff || (first & 0xffc00000) >>> 0 === 0xfe800000) return 'local';
  return (top & 0xfe) === 0xfc ? 'private' : 'public';
}

function zoneOfIpv4(address: number): RemoteZone {
  const top = address >>> 24;
  const top16 = address >>> 16;
  if (top === 0 || top === 127 || top16 === 0xa9fe || top >= 224) {
    return top >= 240 && address !== 0xffffffff ? 'public' : 'local';
  }
  const isPrivate =
    top === 10 || top16 === 0xc0a8 || (address & 0xfff00000) >>> 0 === 0xac100000 || isCarrierShared(address);
  return isPrivate ? 'private' : 'public';
}

/** 100.64.0.0/10, RFC 6598 */
function isCarrierShared(address: number): boolean {
  return (address & 0xffc00000) >>> 0 === 0x64400000;
}
