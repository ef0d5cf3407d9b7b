// The hash of a connection's key.
import { keyWords } from './flow-columns.ts';

/**
 * hot, once a packet: make bench-capture, budget replay-vs-nfpcapd. Signed, because V8 keeps such integers without an
 * object. Two halves of the key are mixed in parallel, so that neither waits for the other.
 */
export function hashOf(key: Uint32Array, seed: number): number {
  let even = seed;
  let odd = ~seed;
  for (let i = 0; i < keyWords - 1; i += 2) {
    even = Math.imul(even ^ key[i]!, 0x85ebca6b);
    even ^= even >>> 15;
    odd = Math.imul(odd ^ key[i + 1]!, 0xc2b2ae35);
    odd ^= odd >>> 13;
  }
  const hash = Math.imul(even ^ Math.imul(odd, 0x9e3779b1) ^ key[keyWords - 1]!, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
