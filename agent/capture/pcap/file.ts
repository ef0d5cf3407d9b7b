// Capture files, packet by packet: pcap and pcapng in both byte orders, micro- and nanoseconds. Reads in pieces, so that
// a file may be larger than memory. What stands before a fault is kept, and the fault is one Problem.
import { type FileHandle, open } from 'node:fs/promises';
import type { Problem } from '../../../model/problem.ts';
import { corruptFile, truncated, unknownFormat, unreadable } from '../errors.ts';
import { PcapFormat } from './pcap-format.ts';
import { PcapngFormat } from './pcapng-format.ts';

/** Called for each packet; `bytes` holds it from `start` to `end` and is valid until it returns. `timeUs` since 1970. */
export type OnPacket = (
  bytes: Uint8Array,
  start: number,
  end: number,
  length: number,
  linkType: number,
  timeUs: number,
) => void;

/**
 * A format reads whole blocks from a piece of the file. `need`: the block at `at` wants so many bytes in all; `fault`
 * says what is wrong with it.
 */
export type Step = { at: number; need: number } | { at: number; fault: string };
export type Format = { read(bytes: Buffer, at: number, end: number, onPacket: OnPacket): Step };

export type FileRead = { packets: number; bytes: number; problems: Problem[] };

const pieceBytes = 4 * 1024 * 1024;
/** A block that claims more is no block. */
const mostBlockBytes = 64 * 1024 * 1024;

/** Never throws for what is in the file. `onProgress` gets the bytes read so far, once a piece. */
export async function readCaptureFile(
  path: string,
  onPacket: OnPacket,
  onProgress: (bytes: number) => void = () => undefined,
): Promise<FileRead> {
  let handle: FileHandle;
  try {
    handle = await open(path);
  } catch (error) {
    return { packets: 0, bytes: 0, problems: [unreadable(path, error as NodeJS.ErrnoException)] };
  }
  try {
    return await readPieces(path, handle, onPacket, onProgress);
  } catch (error) {
    return { packets: 0, bytes: 0, problems: [unreadable(path, error as NodeJS.ErrnoException)] };
  } finally {
    await handle.close();
  }
}

async function readPieces(
  path: string,
  handle: FileHandle,
  onPacket: OnPacket,
  onProgress: (bytes: number) => void,
): Promise<FileRead> {
  let packets = 0;
  const counted: OnPacket = (...packet) => {
    packets += 1;
    onPacket(...packet);
  };
  let piece = Buffer.allocUnsafe(pieceBytes);
  let held = 0;
  let offset = 0;
  let format: Format | undefined;
  for (;;) {
    const { bytesRead } = await handle.read(piece, held, piece.length - held);
    held += bytesRead;
    if (format === undefined) {
      format = formatOf(piece.subarray(0, held));
      if (format === undefined) return { packets, bytes: held, problems: [unknownFormat(path)] };
    }
    const step = format.read(piece, 0, held, counted);
    offset += step.at;
    if ('fault' in step) return { packets, bytes: offset, problems: [corruptFile(path, offset, step.fault, packets)] };
    if (step.need > mostBlockBytes) {
      const fault = `a block claims ${step.need} bytes`;
      return { packets, bytes: offset, problems: [corruptFile(path, offset, fault, packets)] };
    }
    const rest = held - step.at;
    if (bytesRead === 0) {
      return { packets, bytes: offset, problems: rest > 0 ? [truncated(path, offset, packets)] : [] };
    }
    if (step.need > piece.length) {
      const larger = Buffer.allocUnsafe(step.need);
      piece.copy(larger, 0, step.at, held);
      piece = larger;
    } else piece.copyWithin(0, step.at, held);
    held = rest;
    onProgress(offset);
  }
}

function formatOf(head: Buffer): Format | undefined {
  if (head.length < 4) return undefined;
  const magic = head.readUInt32LE(0);
  return magic === PcapngFormat.magic ? new PcapngFormat() : PcapFormat.of(magic);
}
