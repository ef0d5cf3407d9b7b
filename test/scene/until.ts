// Polls a condition until it is true, with a timeout.

/** Rejects if the condition is not true in time; `what` describes the condition. */
export async function until(what: string, reached: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await reached())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
