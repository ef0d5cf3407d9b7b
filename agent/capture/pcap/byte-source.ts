// The bytes of a capture file or of stdin, in order.
import { open } from 'node:fs/promises';
import { stdinPath } from '../../../model/stdin.ts';

export type ByteSource = {
  /** Writes the next bytes at `at`, at most to the end of `into`, and returns their number; 0 at the end. */
  read(into: Buffer, at: number): Promise<number>;
  /** The bytes of the file itself, also if its content is compressed. */
  readonly bytesRead: number;
  /** Opens the file again; only of regular files: the content of a FIFO or of stdin can be read once. */
  readonly reopen?: () => Promise<ByteSource>;
  close(): Promise<void>;
};

export async function openBytes(path: string): Promise<ByteSource> {
  if (path === stdinPath) return new ChunkSource(process.stdin, async () => void process.stdin.destroy());
  const handle = await open(path);
  let isRegular: boolean;
  try {
    isRegular = (await handle.stat()).isFile();
  } catch (error) {
    await handle.close();
    throw error;
  }
  let bytesRead = 0;
  return {
    ...(isRegular ? { reopen: () => openBytes(path) } : {}),
    async read(into, at) {
      const read = await handle.read(into, at, into.length - at);
      bytesRead += read.bytesRead;
      return read.bytesRead;
    },
    get bytesRead() {
      return bytesRead;
    },
    close: () => handle.close(),
  };
}

/** Chunks of any length; one that is not read completely is kept. */
export class ChunkSource implements ByteSource {
  bytesRead = 0;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #close: () => Promise<void>;
  #chunk: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>, close: () => Promise<void>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#close = close;
  }

  async read(into: Buffer, at: number): Promise<number> {
    while (this.#chunk.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return 0;
      this.#chunk = next.value;
    }
    const copied = this.#chunk.copy(into, at);
    this.#chunk = this.#chunk.subarray(copied);
    this.bytesRead += copied;
    return copied;
  }

  close(): Promise<void> {
    return this.#close();
  }
}

/** `head` was read from `rest` before. */
export function withHead(head: Buffer, rest: ByteSource): ByteSource {
  let unread = head;
  return {
    async read(into, at) {
      if (unread.length === 0) return rest.read(into, at);
      const copied = unread.copy(into, at);
      unread = unread.subarray(copied);
      return copied;
    },
    get bytesRead() {
      return rest.bytesRead - unread.length;
    },
    close: () => rest.close(),
  };
}
