// What a format of capture files is: it reads whole blocks, and finds the next sound one behind a fault.

/**
 * Called for each packet; `bytes` holds it from `start` to `end` and is valid until it returns. `source` is the number
 * of the interface in a file that has several. `timeUs` since 1970.
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
 * Where reading a piece of the file came to. `need`: the block at `at` wants so many bytes in all; `fault` says what is
 * wrong with it.
 */
export type ReadStep = { at: number; need: number } | { at: number; fault: string };

/** Whether more of the file is to come behind the piece. */
export type ChunkPosition = 'last' | 'more';

export type Format = {
  readonly packets: number;
  /** Reads whole blocks from the piece that begins at `at`. */
  read(bytes: Buffer, at: number, end: number, chunkPosition: ChunkPosition, onPacket: OnPacket): ReadStep;
  /** The next sound block at or behind `at`. */
  resume(bytes: Buffer, at: number, end: number, chunkPosition: ChunkPosition): Resumed;
};

/** `at` is where the sound block begins, or how far was looked; to go on from there, `need` bytes are wanted. */
export type Resumed = { found: true; at: number } | { found: false; at: number; need: number };

/** Both byte orders at one price: `getUint32` is what V8 reads words by without a call. */
export function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
