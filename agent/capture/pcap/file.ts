// Capture files, packet by packet: pcap and pcapng in both byte orders, micro- and nanoseconds. Reads in pieces, so that
// a file may be larger than memory. A fault is one Problem; what stands before it is kept, and what stands behind it is
// looked for.
import { type FileHandle, open } from 'node:fs/promises';
import type { Problem } from '../../../model/problem.ts';
import { cutShort, faulty, moreFaults, unknownFormat, unreadable } from '../errors.ts';
import type { Format, OnPacket, Place } from './format.ts';
import { PcapFormat } from './pcap-format.ts';
import { PcapngFormat } from './pcapng-format.ts';

export type FileRead = { packets: number; bytes: number; problems: Problem[] };

/** Small enough to be in the processor's cache when its packets are read. */
const pieceBytes = 512 * 1024;
/** Faults that are told one by one; the rest is told in one line. */
const mostProblems = 10;

/** Never throws for what is in the file. `onProgress` gets the bytes read so far, once a piece. */
export async function readCaptureFile(
  path: string,
  onPacket: OnPacket,
  onProgress: (bytes: number) => void = () => undefined,
): Promise<FileRead> {
  const reading = new Reading(path, onPacket, onProgress);
  let handle: FileHandle | undefined;
  try {
    handle = await open(path);
    await reading.all(handle);
  } catch (error) {
    // What a receiver throws is a fault of ours, not of the file.
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    reading.faults.push(unreadable(path, error as NodeJS.ErrnoException));
  } finally {
    await handle?.close();
  }
  return reading.result();
}

class Reading {
  readonly faults: Problem[] = [];
  readonly #path: string;
  readonly #onPacket: OnPacket;
  readonly #onProgress: (bytes: number) => void;
  #format: Format | undefined;
  #piece = Buffer.allocUnsafe(pieceBytes);
  /** Bytes of the piece that hold something, and the place of its first in the file. */
  #held = 0;
  #offset = 0;
  /** Where the fault stands behind which a sound block is looked for. */
  #lost: { offset: number; fault: string } | undefined;
  #untold = 0;

  constructor(path: string, onPacket: OnPacket, onProgress: (bytes: number) => void) {
    this.#path = path;
    this.#onPacket = onPacket;
    this.#onProgress = onProgress;
  }

  async all(handle: FileHandle): Promise<void> {
    for (;;) {
      const { bytesRead } = await handle.read(this.#piece, this.#held, this.#piece.length - this.#held);
      this.#held += bytesRead;
      this.#format ??= formatOf(this.#piece.subarray(0, this.#held));
      if (this.#format === undefined) {
        this.faults.push(unknownFormat(this.#path));
        return;
      }
      const need = this.#blocks(this.#format, bytesRead === 0 ? 'last' : 'more');
      this.#onProgress(this.#offset);
      if (bytesRead === 0) return this.#end(this.#format);
      this.#makeRoom(need);
    }
  }

  result(): FileRead {
    const problems = this.#untold === 0 ? this.faults : [...this.faults, moreFaults(this.#path, this.#untold)];
    return { packets: this.#format?.packets ?? 0, bytes: this.#offset, problems };
  }

  /** Reads what the piece holds and leaves the rest at its beginning; returns how many bytes the next block needs. */
  #blocks(format: Format, place: Place): number {
    let at = 0;
    let need = 0;
    for (;;) {
      if (this.#lost !== undefined) {
        const resumed = format.resume(this.#piece, at, this.#held, place);
        at = resumed.at;
        if (!resumed.found) {
          need = resumed.need;
          break;
        }
        this.#tell(this.#lost, this.#offset + at - this.#lost.offset, format);
      }
      const step = format.read(this.#piece, at, this.#held, place, this.#onPacket);
      at = step.at;
      const fault = 'fault' in step ? step.fault : this.#beyondEnd(format, at, place);
      if (fault === undefined) {
        need = 'need' in step ? step.need : 0;
        break;
      }
      this.#lost = { offset: this.#offset + at, fault };
      at += 1;
    }
    at = Math.min(at, this.#held);
    this.#piece.copyWithin(0, at, this.#held);
    this.#held -= at;
    this.#offset += at;
    return need;
  }

  /** A block that ends beyond the file is cut, but where others stand behind its beginning: then its length is wrong. */
  #beyondEnd(format: Format, at: number, place: Place): string | undefined {
    if (place === 'more' || at >= this.#held) return undefined;
    const { found } = format.resume(this.#piece, at + 1, this.#held, place);
    return found ? 'a packet claims more bytes than the file has' : undefined;
  }

  #tell({ offset, fault }: { offset: number; fault: string }, passedOver: number, format: Format): void {
    this.#lost = undefined;
    if (this.faults.length >= mostProblems) this.#untold += 1;
    else this.faults.push(faulty(this.#path, offset, fault, passedOver, format.packets));
  }

  #makeRoom(need: number): void {
    if (need <= this.#piece.length) return;
    const larger = Buffer.allocUnsafe(need);
    this.#piece.copy(larger, 0, 0, this.#held);
    this.#piece = larger;
  }

  #end(format: Format): void {
    if (this.#lost !== undefined) this.#tell(this.#lost, this.#offset + this.#held - this.#lost.offset, format);
    else if (this.#held > 0) this.faults.push(cutShort(this.#path, this.#offset, format.packets));
  }
}

function formatOf(head: Buffer): Format | undefined {
  if (head.length < 4) return undefined;
  const magic = head.readUInt32LE(0);
  return magic === PcapngFormat.magic ? new PcapngFormat() : PcapFormat.of(magic);
}
