// Decompresses gzip and Zstandard while it reads. Of damaged content, all is given that precedes the damage.
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib';
import { type ByteSource, ChunkSource } from './byte-source.ts';
import type { Compression } from './compression.ts';

/** The content ends too early, or is invalid from about `offset` of the file. */
export class DamagedContent extends Error {
  readonly damage: 'truncated' | 'corrupt';
  readonly compression: Compression;
  readonly offset: number;

  constructor(damage: 'truncated' | 'corrupt', compression: Compression, offset: number) {
    super(`${compression} is ${damage} at byte ${offset}`);
    this.damage = damage;
    this.compression = compression;
    this.offset = offset;
  }
}

/** zlib discards what it decompressed in the step that fails. So a step has few bytes if they cannot be read again. */
const longestStep = 64 * 1024;
const stepBytes = { file: [longestStep, 512, 1], stdin: 1024 };
const outputBytes = 64 * 1024;

/**
 * The decompressed bytes of `compressed`; `read` rejects with DamagedContent after those before the damage. `reopen` opens
 * the file again; undefined for stdin.
 */
export function decompress(
  compressed: ByteSource,
  compression: Compression,
  reopen: (() => Promise<ByteSource>) | undefined,
): ByteSource {
  const chunks =
    reopen === undefined
      ? decompressedChunks(compressed, compression, () => stepBytes.stdin)
      : recovered(compressed, compression, reopen);
  const source = new ChunkSource(chunks, () => compressed.close());
  return {
    read: (into, at) => source.read(into, at),
    get bytesRead() {
      return compressed.bytesRead;
    },
    close: () => source.close(),
  };
}

/** After a damage, reads the file again, with shorter steps where it is damaged. */
async function* recovered(
  compressed: ByteSource,
  compression: Compression,
  reopen: () => Promise<ByteSource>,
): AsyncGenerator<Buffer> {
  let given = 0;
  let damagedFrom = 0;
  for (const length of stepBytes.file) {
    const source = damagedFrom === 0 ? compressed : await reopen();
    const step = (offset: number) => (offset < damagedFrom ? Math.min(longestStep, damagedFrom - offset) : length);
    const givenBefore = given;
    let position = 0;
    try {
      for await (const chunk of decompressedChunks(source, compression, step)) {
        const skip = Math.max(0, Math.min(chunk.length, givenBefore - position));
        position += chunk.length;
        given += chunk.length - skip;
        if (skip < chunk.length) yield chunk.subarray(skip);
      }
      return;
    } catch (error) {
      const isCorrupt = error instanceof DamagedContent && error.damage === 'corrupt';
      if (!isCorrupt || length === stepBytes.file.at(-1)) throw error;
      damagedFrom = error.offset;
    } finally {
      if (source !== compressed) await source.close();
    }
  }
}

/** `stepBytes` gives the length of the step at an offset. */
async function* decompressedChunks(
  compressed: ByteSource,
  compression: Compression,
  stepBytes: (offset: number) => number,
): AsyncGenerator<Buffer> {
  let engine = new Engine(compression);
  let offset = 0;
  for (;;) {
    const step = Buffer.allocUnsafe(stepBytes(offset));
    const length = await compressed.read(step, 0);
    let rest = step.subarray(0, length);
    try {
      if (length === 0) {
        yield* engine.end();
        return;
      }
      while (rest.length > 0) {
        const before = engine.bytesRead;
        yield* engine.write(rest);
        rest = rest.subarray(engine.bytesRead - before);
        if (rest.length === 0) break;
        // It takes no more. Padding may follow gzip, and another frame may follow one of Zstandard.
        if (compression === 'gzip') return;
        engine = new Engine(compression);
      }
    } catch (error) {
      throw damageOf(error, compression, offset);
    }
    offset += length;
  }
}

function damageOf(error: unknown, compression: Compression, offset: number): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'Z_BUF_ERROR') return new DamagedContent('truncated', compression, offset);
  return /^(Z|ZSTD)_/.test(code) ? new DamagedContent('corrupt', compression, offset) : error;
}

/** Pulls the output of a zlib stream before it gives more input. So little waits in memory, whatever the content grows to. */
class Engine {
  readonly #stream: Gunzip | ZstdDecompress;
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(compression: Compression) {
    const options = { chunkSize: outputBytes };
    this.#stream = compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
    this.#stream.on('readable', () => this.#wake());
    this.#stream.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    this.#stream.on('error', (error) => {
      this.#error = error;
      this.#wake();
    });
  }

  get bytesRead(): number {
    return this.#stream.bytesWritten;
  }

  write(bytes: Buffer): AsyncGenerator<Buffer> {
    let isWritten = false;
    this.#stream.write(bytes, () => {
      isWritten = true;
      this.#wake();
    });
    return this.#output(() => isWritten);
  }

  end(): AsyncGenerator<Buffer> {
    this.#stream.end();
    return this.#output(() => false);
  }

  async *#output(isDone: () => boolean): AsyncGenerator<Buffer> {
    for (;;) {
      for (;;) {
        const chunk = this.#stream.read() as Buffer | null;
        if (chunk === null) break;
        yield chunk;
      }
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended || isDone()) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
