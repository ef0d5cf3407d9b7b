// The interface of a capture file format: it reads whole blocks, and finds the next valid one after a fault.

/**
 * Called for each packet, which is in `bytes` from `start` to `end`; valid until the call returns. `length` is its
 * length on the wire, `source` the number of the interface if the file has several, `timeUs` the time since 1970.
 */
export type OnPacket = (
  bytes: Uint8Array,
  start: number,
  end: number,
  length: number,
  linkType: number,
  source: number,
  timeUs: number,
) => void;

/**
 * Reading stopped before the block at `at`: it needs `need` bytes in all, or it has a `fault`. Of some faulty blocks it is
 * certain that the next one follows after `skip` bytes.
 */
export type ReadStep = { at: number; need: number } | { at: number; fault: string; skip?: number };

/** Whether more of the file follows the chunk. */
export type ChunkPosition = 'last' | 'more';

export type Format = {
  readonly packets: number;
  /** Packets that the program that captured did not get, as the file says. */
  readonly dropped: number;
  /** Reads the whole blocks between `at` and `end`. */
  read(bytes: Buffer, at: number, end: number, chunkPosition: ChunkPosition, onPacket: OnPacket): ReadStep;
  /** Whether the block at `at`, which ends beyond the file, is credible: then the file is truncated. */
  isCredible(bytes: Buffer, at: number, end: number): boolean;
  /**
   * Finds the next valid block at or after `at`. It may be a forgery inside the data of a packet: its sender chose that data.
   */
  resume(bytes: Buffer, at: number, end: number, chunkPosition: ChunkPosition): Resumed;
};

/**
 * `at` is the beginning of the valid block. If none is found, the search continues at `at` with at least `need` bytes.
 */
export type Resumed = { found: true; at: number } | { found: false; at: number; need: number };

/** A search passes over longer blocks, so that it needs no more than a chunk. */
export const maxFoundBytes = 264 * 1024;

/** V8 compiles `getUint32` to a plain read in both byte orders. */
export function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
