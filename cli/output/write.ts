// Writes text that is too long for memory, at the speed of its reader.
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A closed output (`| head`) ends the text without an error. */
export async function write(chunks: Iterable<string>, output: Writable): Promise<void> {
  try {
    await pipeline(Readable.from(chunks), output, { end: false });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) throw error;
  }
}
