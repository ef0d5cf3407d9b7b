// A DNS answer that a pod got: a name, its address, and the time to live.
import type { Address } from './address.ts';

/** `name` is the name in the question, in lower case, without the last dot. `atUs` is when the answer arrived at the pod. */
export type DnsAnswer = { name: string; address: Address; atUs: number; ttlSeconds: number };

const maxNameLength = 253;

/** Whether the name may be stored and shown. Anyone can answer anything, so control characters and line breaks are refused. */
export function isPrintableName(text: string): boolean {
  return text.length <= maxNameLength && /^[!-[\]-~]+$/.test(text) && text === text.toLowerCase();
}
