// Decompresses gzip and Zstandard while it reads. Of damaged content, all is given that precedes the damage.
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib';
import type { Damage } from '../errors.ts';
import { type ByteSource, ChunkSource } from './byte-source.ts';
import type { Compression } from './compression.ts';

/** The content ends too early, or cannot be decompressed from about `offset` of the file. */
export class DamagedContent extends Error {
  readonly damage: Damage;
  readonly compression: Compression;
  readonly offset: number;

  constructor(damage: Damage, compression: Compression, offset: number) {
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
 * the file again; undefined if it cannot be read twice, like stdin.
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
  const source = new ChunkSource(chunks, async () => {
    await chunks.return(undefined); // closes its engine
    await compressed.close();
  });
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
  for (const [pass, length] of stepBytes.file.entries()) {
    const source = pass === 0 ? compressed : await reopen();
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
      if (!isCorrupt || pass === stepBytes.file.length - 1) throw error;
      damagedFrom = error.offset;
    } finally {
      if (source !== compressed) await source.close();
    }
  }
}

/** `stepAt` gives the length of the step at an offset. */
async function* decompressedChunks(
  compressed: ByteSource,
  compression: Compression,
  stepAt: (offset: number) => number,
): AsyncGenerator<Buffer> {
  let engine: Engine | undefined = new Engine(compression);
  let offset = 0;
  try {
    for (;;) {
      const step = Buffer.allocUnsafe(stepAt(offset));
      const length = await compressed.read(step, 0);
      let rest: Buffer = step.subarray(0, length);
      if (length === 0) {
        if (engine !== undefined) yield* engine.end();
        return;
      }
      for (;;) {
        if (engine === undefined && compression === 'gzip') rest = withoutPadding(rest);
        if (rest.length === 0) break;
        engine ??= new Engine(compression);
        const before = engine.bytesRead;
        yield* engine.write(rest);
        rest = rest.subarray(engine.bytesRead - before);
        if (rest.length === 0) break;
        // It takes no more: another member or frame may follow.
        engine.close();
        engine = undefined;
      }
      offset += length;
    }
  } catch (error) {
    throw damageOf(error, compression, offset);
  } finally {
    engine?.close();
  }
}

/** Zeros may follow a member of gzip, for example on a tape, and another member may follow them. */
function withoutPadding(bytes: Buffer): Buffer {
  const at = bytes.findIndex((byte) => byte !== 0);
  return bytes.subarray(at < 0 ? bytes.length : at);
}

function damageOf(error: unknown, compression: Compression, offset: number): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'Z_BUF_ERROR') return new DamagedContent('truncated', compression, offset);
  if (code === 'ZSTD_error_frameParameter_windowTooLarge')
    return new DamagedContent('large-window', compression, offset);
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

  close(): void {
    this.#stream.destroy();
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
