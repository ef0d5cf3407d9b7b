// Waits for a condition, looking at it often, with a bound.

/** Rejects where it does not come true in time; `what` says what was waited for. */
export async function until(what: string, reached: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await reached())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
