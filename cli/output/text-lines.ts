// Splits text at line feeds only. Node's readline also splits at U+2028 and U+2029, which JSON strings may contain.

/** The lines without their ends. Text after the last line feed is a line too. */
export async function* textLines(chunks: AsyncIterable<Buffer | string>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  for await (const chunk of chunks) {
    const lines = (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })).split('\n');
    parts.push(lines[0]!);
    if (lines.length === 1) continue;
    yield withoutReturn(parts.join(''));
    parts = [lines.pop()!];
    for (const line of lines.slice(1)) yield withoutReturn(line);
  }
  const rest = parts.join('') + decoder.decode();
  if (rest !== '') yield withoutReturn(rest);
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
