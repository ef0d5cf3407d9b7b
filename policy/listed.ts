// Texts in a row: more than a reader takes in are only counted.

export function listed(texts: readonly string[], between = ', ', most = 4): string {
  const more = texts.length - most;
  return [...texts.slice(0, most), ...(more > 0 ? [`${more} more`] : [])].join(between);
}
