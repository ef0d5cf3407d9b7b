// The wait before a retry: longer after each failure, and spread so that clients do not retry together.

const firstMs = 1_000;
/** Short enough that the objects are known again within a minute of the server's return. */
const maxMs = 30_000;
/** Limit for the wait that a server requests. */
const maxRequestedMs = 300_000;

/**
 * `failures` is the number of consecutive failures, from 1; `random` is from 0 to 1. Thousands of agents lose a server at
 * once, so the first wait is random from 0 to 1 s, and later waits vary by half of their length.
 */
export function backoffMs(failures: number, requestedMs: number, random: number): number {
  const maxWaitMs = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 16));
  const ownMs = failures <= 1 ? random * maxWaitMs : maxWaitMs * (0.5 + random / 2);
  return requestedMs > 0 ? Math.max(Math.min(requestedMs, maxRequestedMs) + random * firstMs, ownMs) : ownMs;
}

/** The wait before a request that is due now: random, so that clients do not send it together. */
export function jitterMs(random: number): number {
  return random * firstMs;
}
