// Text that is too long to hold: written as it is made, no faster than it is read.
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A reader that goes away (`| head`) ends it, and is no fault. */
export async function write(chunks: Iterable<string>, output: Writable): Promise<void> {
  try {
    await pipeline(Readable.from(chunks), output, { end: false });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) throw error;
  }
}
