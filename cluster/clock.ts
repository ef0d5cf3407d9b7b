// Time as the sources need it: now, and a call later. Tests give one that is moved by hand.

export type Clock = {
  nowUs(): number;
  /** Calls `run` once after `ms`; the function returned takes the call back. */
  after(ms: number, run: () => void): () => void;
};

/** µs since the epoch, finer than `Date.now` tells: what packets and records are timed by. */
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
