// Capture files, packet by packet: pcap and pcapng in both byte orders, micro- and nanoseconds. Reads in pieces, so that
// a file may be larger than memory. A fault is one Problem; what stands before it is kept, and what stands behind it is
// looked for.
import { type FileHandle, open } from 'node:fs/promises';
import type { Problem } from '../../../model/problem.ts';
import { corruptFile, moreFaults, truncatedFile, unknownFormat, unreadableFile } from '../errors.ts';
import type { ChunkPosition, Format, OnPacket } from './format.ts';
import { PcapFormat } from './pcap-format.ts';
import { PcapngFormat } from './pcapng-format.ts';

export type CaptureFileResult = { packets: number; bytes: number; problems: Problem[] };

/** Small enough to be in the processor's cache when its packets are read. */
const chunkBytes = 512 * 1024;
/** Faults that are told one by one; the rest is told in one line. */
const maxProblems = 10;

/** Never throws for what is in the file. `onProgress` gets the bytes read so far, once a piece. */
export async function readCaptureFile(
  path: string,
  onPacket: OnPacket,
  onProgress: (bytes: number) => void = () => undefined,
): Promise<CaptureFileResult> {
  const reader = new CaptureFileReader(path, onPacket, onProgress);
  let handle: FileHandle | undefined;
  try {
    handle = await open(path);
    await reader.readAll(handle);
  } catch (error) {
    // What a receiver throws is a fault of ours, not of the file.
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    reader.faults.push(unreadableFile(path, error as NodeJS.ErrnoException));
  } finally {
    await handle?.close();
  }
  return reader.result();
}

class CaptureFileReader {
  readonly faults: Problem[] = [];
  readonly #path: string;
  readonly #onPacket: OnPacket;
  readonly #onProgress: (bytes: number) => void;
  #format: Format | undefined;
  #chunk = Buffer.allocUnsafe(chunkBytes);
  /** Bytes of the piece that hold something, and the place of its first in the file. */
  #filled = 0;
  #offset = 0;
  /** Where the fault stands behind which a sound block is looked for. */
  #openFault: { offset: number; fault: string } | undefined;
  #unreportedFaults = 0;

  constructor(path: string, onPacket: OnPacket, onProgress: (bytes: number) => void) {
    this.#path = path;
    this.#onPacket = onPacket;
    this.#onProgress = onProgress;
  }

  async readAll(handle: FileHandle): Promise<void> {
    for (;;) {
      const { bytesRead } = await handle.read(this.#chunk, this.#filled, this.#chunk.length - this.#filled);
      this.#filled += bytesRead;
      this.#format ??= formatOf(this.#chunk.subarray(0, this.#filled));
      if (this.#format === undefined) {
        this.faults.push(unknownFormat(this.#path));
        return;
      }
      const need = this.#readBlocks(this.#format, bytesRead === 0 ? 'last' : 'more');
      this.#onProgress(this.#offset);
      if (bytesRead === 0) return this.#end(this.#format);
      this.#ensureCapacity(need);
    }
  }

  result(): CaptureFileResult {
    const problems =
      this.#unreportedFaults === 0 ? this.faults : [...this.faults, moreFaults(this.#path, this.#unreportedFaults)];
    return { packets: this.#format?.packets ?? 0, bytes: this.#offset, problems };
  }

  /** Reads what the piece holds and leaves the rest at its beginning; returns how many bytes the next block needs. */
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
      }
      const step = format.read(this.#chunk, at, this.#filled, chunkPosition, this.#onPacket);
      at = step.at;
      const fault = 'fault' in step ? step.fault : this.#faultBeyondEnd(format, at, chunkPosition);
      if (fault === undefined) {
        need = 'need' in step ? step.need : 0;
        break;
      }
      this.#openFault = { offset: this.#offset + at, fault };
      at += 1;
    }
    at = Math.min(at, this.#filled);
    this.#chunk.copyWithin(0, at, this.#filled);
    this.#filled -= at;
    this.#offset += at;
    return need;
  }

  /** A block that ends beyond the file is cut, but where others stand behind its beginning: then its length is wrong. */
  #faultBeyondEnd(format: Format, at: number, chunkPosition: ChunkPosition): string | undefined {
    if (chunkPosition === 'more' || at >= this.#filled) return undefined;
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
    else if (this.#filled > 0) this.faults.push(truncatedFile(this.#path, this.#offset, format.packets));
  }
}

function formatOf(head: Buffer): Format | undefined {
  if (head.length < 4) return undefined;
  const magic = head.readUInt32LE(0);
  return magic === PcapngFormat.magic ? new PcapngFormat() : PcapFormat.of(magic);
}
