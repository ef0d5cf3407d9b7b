// Texts in a row: more than a reader takes in are only counted.

export function listText(texts: readonly string[], separator = ', ', max = 4): string {
  const hidden = texts.length - max;
  return [...texts.slice(0, max), ...(hidden > 0 ? [`${hidden} more`] : [])].join(separator);
}
