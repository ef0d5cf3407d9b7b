// The clock of the cluster sources. Tests pass one whose time they set.

export type Clock = {
  nowUs(): number;
  /** Calls `run` once after `ms`. The returned function cancels the call. */
  after(ms: number, run: () => void): () => void;
};

/** µs since the epoch, more precise than `Date.now`. Packets and records use it. */
export function nowUs(): number {
  return (performance.timeOrigin + performance.now()) * 1000;
}

export const systemClock: Clock = {
  nowUs: () => Date.now() * 1000,
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
