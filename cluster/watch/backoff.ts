// How long to wait before asking again: longer after each failure, and never all at the same moment.

const firstMs = 1_000;
const mostMs = 60_000;
/** A server may ask for more patience than ours, within reason. */
const askedMostMs = 300_000;

/**
 * `failures` in a row, from 1; `random` is from 0 to 1. Thousands of agents lose one server at once, so the first wait
 * is anything from 0 to 1 s, and later ones spread over half of their length.
 */
export function backoffMs(failures: number, askedMs: number, random: number): number {
  const longest = Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 16));
  const ours = failures <= 1 ? random * longest : longest * (0.5 + random / 2);
  return askedMs > 0 ? Math.max(Math.min(askedMs, askedMostMs) + random * firstMs, ours) : ours;
}
