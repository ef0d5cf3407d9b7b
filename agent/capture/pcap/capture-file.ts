// Reads capture files: pcap and pcapng in both byte orders, with micro- and nanoseconds. Reads in chunks, so that a
// file may be larger than memory. gzip and Zstandard are decompressed. Each fault becomes one Problem. If the next packet has
// to be searched for, the packets from there on are doubtful: they may be inside the data of a packet.
import type { Problem } from '../../../model/problem.ts';
import {
  compressedFile,
  corruptFile,
  damagedContent,
  moreFaults,
  truncatedFile,
  unknownFormat,
  unreadableFile,
} from '../errors.ts';
import { type ByteSource, openBytes, withHead } from './byte-source.ts';
import { compressionOf, otherCompression } from './compression.ts';
import { DamagedContent, decompress } from './decompress.ts';
import type { ChunkPosition, Format, OnPacket } from './format.ts';
import { PcapFormat } from './pcap-format.ts';
import { PcapngFormat } from './pcapng-format.ts';

/** `dropped`: packets that the file says are missing. */
export type CaptureFileResult = { packets: number; dropped: number; bytes: number; problems: Problem[] };

/** Small enough for the processor's cache. */
const chunkBytes = 512 * 1024;
/** Enough to recognise formats and compressions. */
const headBytes = 8;
/** Faults that are reported one by one; one more line counts the others. */
const maxProblems = 10;

/**
 * `-` is stdin. Never throws because of the file's content. `onProgress` gets the bytes of the file that were read so far,
 * after each chunk. `onDoubtful` gets the packets after a fault whose end is not certain.
 */
export async function readCaptureFile(
  path: string,
  onPacket: OnPacket,
  onProgress: (bytes: number) => void = () => undefined,
  onDoubtful: OnPacket = () => undefined,
): Promise<CaptureFileResult> {
  const reader = new CaptureFileReader(path, onPacket, onProgress, onDoubtful);
  let source: ByteSource | undefined;
  try {
    source = await openBytes(path);
    await reader.readAll(source);
  } catch (error) {
    // An error from `onPacket` is a bug of ours, not a fault of the file.
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    reader.faults.push(unreadableFile(path, error as NodeJS.ErrnoException));
  } finally {
    await source?.close();
  }
  return reader.result();
}

class CaptureFileReader {
  readonly faults: Problem[] = [];
  readonly #path: string;
  #onPacket: OnPacket;
  readonly #onDoubtful: OnPacket;
  readonly #onProgress: (bytes: number) => void;
  #format: Format | undefined;
  #chunk = Buffer.allocUnsafe(chunkBytes);
  /** How many bytes of the chunk are in use, and the offset of the first one in the file. */
  #filled = 0;
  #offset = 0;
  /** The fault after which the next valid block is not found yet. */
  #openFault: { offset: number; fault: string } | undefined;
  #unreportedFaults = 0;
  /** Of compressed content: nothing follows it. */
  #damage: DamagedContent | undefined;

  constructor(path: string, onPacket: OnPacket, onProgress: (bytes: number) => void, onDoubtful: OnPacket) {
    this.#path = path;
    this.#onPacket = onPacket;
    this.#onDoubtful = onDoubtful;
    this.#onProgress = onProgress;
  }

  async readAll(file: ByteSource): Promise<void> {
    const source = await this.#opened(file);
    try {
      await this.#readSource(source);
    } finally {
      await source.close();
    }
  }

  async #readSource(source: ByteSource): Promise<void> {
    for (;;) {
      const bytesRead = await this.#fill(source);
      this.#format ??= formatOf(this.#chunk.subarray(0, this.#filled));
      if (this.#format === undefined) {
        if (this.#damage === undefined) this.#reportFormat();
        return;
      }
      const need = this.#readBlocks(this.#format, bytesRead === 0 ? 'last' : 'more');
      this.#onProgress(source.bytesRead);
      if (bytesRead === 0) return this.#end(this.#format);
      this.#ensureCapacity(need);
    }
  }

  /** Reads the first bytes, which show whether the content is compressed. */
  async #opened(file: ByteSource): Promise<ByteSource> {
    const head = Buffer.alloc(headBytes);
    let length = 0;
    for (let read = -1; read !== 0 && length < headBytes; length += read) read = await file.read(head, length);
    const source = withHead(head.subarray(0, length), file);
    const compression = compressionOf(head.subarray(0, length));
    if (compression === undefined) return source;
    return decompress(source, compression, file.reopen);
  }

  /** Returns 0 at the end of the file, and where its compressed content is damaged. */
  async #fill(source: ByteSource): Promise<number> {
    let bytesRead = 0;
    do {
      const length = await this.#readPart(source);
      if (length === 0) break;
      bytesRead += length;
      this.#filled += length;
    } while (this.#filled < headBytes);
    return bytesRead;
  }

  async #readPart(source: ByteSource): Promise<number> {
    if (this.#damage !== undefined) return 0;
    try {
      return await source.read(this.#chunk, this.#filled);
    } catch (error) {
      if (!(error instanceof DamagedContent)) throw error;
      this.#damage = error;
      return 0;
    }
  }

  #reportFormat(): void {
    const compression = otherCompression(this.#chunk.subarray(0, this.#filled));
    this.faults.push(compression === undefined ? unknownFormat(this.#path) : compressedFile(this.#path, compression));
  }

  result(): CaptureFileResult {
    const problems = [...this.faults];
    if (this.#unreportedFaults > 0) problems.push(moreFaults(this.#path, this.#unreportedFaults));
    if (this.#damage !== undefined) problems.push(damagedContent(this.#path, this.#damage, this.#format?.packets ?? 0));
    const dropped = this.#format?.dropped ?? 0;
    return { packets: this.#format?.packets ?? 0, dropped, bytes: this.#offset, problems };
  }

  /**
   * Reads the whole blocks of the chunk and moves the rest to its beginning. Returns how many bytes the next block
   * needs.
   */
  #readBlocks(format: Format, chunkPosition: ChunkPosition): number {
    let at = 0;
    let need = 0;
    for (;;) {
      if (this.#openFault !== undefined) {
        const resumed = format.resume(this.#chunk, at, this.#filled, chunkPosition);
        at = resumed.at;
        if (!resumed.found) {
          need = resumed.need;
          break;
        }
        this.#reportFault(this.#openFault, this.#offset + at - this.#openFault.offset, format);
        this.#onPacket = this.#onDoubtful;
      }
      const step = format.read(this.#chunk, at, this.#filled, chunkPosition, this.#onPacket);
      at = step.at;
      const fault = 'fault' in step ? step.fault : this.#faultBeyondEnd(format, at, chunkPosition);
      if (fault === undefined) {
        need = 'need' in step ? step.need : 0;
        break;
      }
      if ('fault' in step && step.skip !== undefined) {
        this.#reportFault({ offset: this.#offset + at, fault }, step.skip, format);
        at += step.skip;
        continue;
      }
      this.#openFault = { offset: this.#offset + at, fault };
      at += 1;
    }
    at = Math.min(at, this.#filled);
    if (at > 0) this.#chunk.copyWithin(0, at, this.#filled);
    this.#filled -= at;
    this.#offset += at;
    return need;
  }

  /**
   * A block that ends beyond the file is truncated if its header is credible. Its data is not searched: its sender chose it.
   */
  #faultBeyondEnd(format: Format, at: number, chunkPosition: ChunkPosition): string | undefined {
    if (chunkPosition === 'more' || at >= this.#filled) return undefined;
    if (format.isCredible(this.#chunk, at, this.#filled)) return undefined;
    const { found } = format.resume(this.#chunk, at + 1, this.#filled, chunkPosition);
    return found ? 'a packet claims more bytes than the file has' : undefined;
  }

  #reportFault({ offset, fault }: { offset: number; fault: string }, skippedBytes: number, format: Format): void {
    this.#openFault = undefined;
    if (this.faults.length >= maxProblems) this.#unreportedFaults += 1;
    else this.faults.push(corruptFile(this.#path, offset, fault, skippedBytes, format.packets));
  }

  #ensureCapacity(need: number): void {
    if (need <= this.#chunk.length) return;
    const larger = Buffer.allocUnsafe(need);
    this.#chunk.copy(larger, 0, 0, this.#filled);
    this.#chunk = larger;
  }

  #end(format: Format): void {
    if (this.#openFault !== undefined)
      this.#reportFault(this.#openFault, this.#offset + this.#filled - this.#openFault.offset, format);
    else if (this.#filled > 0 && this.#damage === undefined)
      this.faults.push(truncatedFile(this.#path, this.#offset, format.packets));
  }
}

function formatOf(head: Buffer): Format | undefined {
  if (head.length < 4) return undefined;
  const magic = head.readUInt32LE(0);
  return magic === PcapngFormat.magic ? new PcapngFormat() : PcapFormat.of(magic);
}
