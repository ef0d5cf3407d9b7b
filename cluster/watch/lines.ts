// The lines of a stream of bytes, each as it ends; empty ones are left out.

/** Throws where a line is longer than `bytesMost`. What stands after the last newline is a line cut off, and dropped. */
export async function* linesOf(chunks: AsyncIterable<Buffer>, bytesMost: number): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const line = Buffer.concat([...parts, chunk.subarray(start, end)]).toString('utf8');
      parts = [];
      bytes = 0;
      start = end + 1;
      if (line.trim() !== '') yield line;
    }
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    bytes += chunk.length - start;
    if (bytes > bytesMost) throw new Error(`line longer than ${bytesMost / 2 ** 20} MiB`);
  }
}

const newline = 0x0a;
