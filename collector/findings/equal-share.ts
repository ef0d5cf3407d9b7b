// Shares a limit among several users, so that none pushes out the others.

/** The greatest number of items that every user may keep so that all keep at most `limit`. Who has fewer keeps all. */
export function equalShare(sizes: readonly number[], limit: number): number {
  let left = limit;
  const ascending = [...sizes].sort((a, b) => a - b);
  for (const [i, size] of ascending.entries()) {
    const share = Math.floor(left / (ascending.length - i));
    if (size > share) return share;
    left -= size;
  }
  return ascending.at(-1) ?? limit;
}
