// The round trip of a handshake, as records have it.
const maxUs = 3_600_000_000;

/** At least 1 µs, because 0 means unknown. */
export function roundTrip(us: number): number {
  return Math.min(Math.max(1, us), maxUs);
}
