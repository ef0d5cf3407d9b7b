// What DNS told a pod: for how long a name has an address.
import type { Address } from './address.ts';

/** `name` is the one that was asked for, lower case, without the last dot. `atUs` is when the answer came to the pod. */
export type DnsAnswer = { name: string; address: Address; atUs: number; ttlSeconds: number };

const maxNameLength = 253;

/** Whether the text is a name as it may be kept and shown: whoever answers may write anything. */
export function isPrintableName(text: string): boolean {
  return text.length <= maxNameLength && /^[!-[\]-~]+$/.test(text) && text === text.toLowerCase();
}
