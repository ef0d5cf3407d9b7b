// The cause of an error as the system, a library or a server reports it.

/** One line of at most 200 characters. Accepts an error or its text. */
export function reasonOf(error: unknown): string {
  // An AggregateError of a failed connection has no message, only a code.
  const text = error instanceof Error ? error.message || systemCode(error) || error.name : String(error);
  const line = text.split('\n')[0]!.trim();
  return line.length > 200 ? `${line.slice(0, 197)}...` : line;
}

/** `ENOENT`, `ECONNREFUSED`; empty where the error has no code. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
