// Joins at most `max` texts and counts the others: `a, b, 3 more`.

export function listText(texts: readonly string[], separator = ', ', max = 4): string {
  const hidden = texts.length - max;
  return [...texts.slice(0, max), ...(hidden > 0 ? [`${hidden} more`] : [])].join(separator);
}
