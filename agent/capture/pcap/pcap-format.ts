// The pcap format (draft-ietf-opsawg-pcap): a header of 24 bytes, then records.
import { type ChunkPosition, type Format, type OnPacket, type ReadStep, type Resumed, wordsOf } from './format.ts';

const headerBytes = 24;
const recordBytes = 16;
/** libpcap's largest capture length; a file may state a larger one. */
const defaultSnapLength = 262_144;
const maxSnapLength = 8 * 1024 * 1024;
/** No frame is longer, even with segmentation offload. */
const maxFrameBytes = 16 * 1024 * 1024;
/** A larger gap between two records is implausible. */
const maxGapSeconds = 86_400;

/** Byte order and time unit by the first four bytes, read as little-endian. */
const magics = new Map([
  [0xa1b2c3d4, { order: 'little', fractions: 1_000_000 }],
  [0xd4c3b2a1, { order: 'big', fractions: 1_000_000 }],
  [0xa1b23c4d, { order: 'little', fractions: 1_000_000_000 }],
  [0x4d3cb2a1, { order: 'big', fractions: 1_000_000_000 }],
] as const);

export class PcapFormat implements Format {
  packets = 0;
  readonly #isLittle: boolean;
  readonly #fractions: number;
  #linkType = -1;
  #maxCaptured = defaultSnapLength;
  #lastSeconds = 0;

  private constructor(order: 'little' | 'big', fractions: number) {
    this.#isLittle = order === 'little';
    this.#fractions = fractions;
  }

  static of(magic: number): PcapFormat | undefined {
    const known = magics.get(magic as 0xa1b2c3d4);
    return known && new PcapFormat(known.order, known.fractions);
  }

  read(bytes: Buffer, start: number, end: number, chunkPosition: ChunkPosition, onPacket: OnPacket): ReadStep {
    const words = wordsOf(bytes);
    let at = start;
    if (this.#linkType < 0) {
      if (end - at < headerBytes) return { at, need: headerBytes };
      this.#readHeader(words, at);
      at += headerBytes;
    }
    const isLittle = this.#isLittle;
    const unit = this.#fractions / 1_000_000;
    // hot, once a packet: each word is read once; make bench-capture, budget replay-vs-nfpcapd
    while (end - at >= recordBytes) {
      const captured = words.getUint32(at + 8, isLittle);
      if (captured > this.#maxCaptured) return { at, fault: `a packet claims ${captured} bytes` };
      const next = at + recordBytes + captured;
      if (next > end) return { at, need: recordBytes + captured };
      const seconds = words.getUint32(at, isLittle);
      const fraction = words.getUint32(at + 4, isLittle);
      const length = words.getUint32(at + 12, isLittle);
      // One implausible field may be valid, and whole files have one. But after a wrong length, no valid record
      // follows.
      if (this.#implausibleFields(seconds, fraction, captured, length, this.#lastSeconds) > 0) {
        const isLast = next + recordBytes > end;
        if (isLast && chunkPosition === 'more') return { at, need: next + recordBytes - at };
        if (!isLast && this.#implausibleFieldsAt(words, next, seconds) > 1)
          return { at, fault: 'no valid packet header' };
      }
      const timeUs = seconds * 1_000_000 + Math.floor(fraction / unit);
      this.#lastSeconds = seconds;
      this.packets += 1;
      onPacket(bytes, at + recordBytes, next, length, this.#linkType, 0, timeUs);
      at = next;
    }
    return { at, need: recordBytes };
  }

  /** A valid record is close in time to the record before it. If there was none, another record must follow it. */
  resume(bytes: Buffer, start: number, end: number, chunkPosition: ChunkPosition): Resumed {
    const words = wordsOf(bytes);
    for (let at = start; at + recordBytes <= end; at++) {
      if (this.#implausibleFieldsAt(words, at, this.#lastSeconds) > 0) continue;
      const captured = words.getUint32(at + 8, this.#isLittle);
      const need = recordBytes + captured + (this.#lastSeconds === 0 ? recordBytes : 0);
      if (at + need > end && chunkPosition === 'more') return { found: false, at, need };
      if (at + need > end) continue;
      if (this.#lastSeconds !== 0) return { found: true, at };
      const next = at + recordBytes + captured;
      if (this.#implausibleFieldsAt(words, next, words.getUint32(at, this.#isLittle)) === 0) return { found: true, at };
    }
    return { found: false, at: Math.max(start, end - recordBytes + 1), need: recordBytes };
  }

  #readHeader(words: DataView, at: number): void {
    const snapLength = words.getUint32(at + 16, this.#isLittle);
    this.#maxCaptured = Math.max(defaultSnapLength, Math.min(snapLength, maxSnapLength));
    // The upper bits are about a frame check sequence.
    this.#linkType = words.getUint32(at + 20, this.#isLittle) & 0x0fffffff;
  }

  #implausibleFieldsAt(words: DataView, at: number, nearSeconds: number): number {
    const isLittle = this.#isLittle;
    const captured = words.getUint32(at + 8, isLittle);
    const length = words.getUint32(at + 12, isLittle);
    return this.#implausibleFields(
      words.getUint32(at, isLittle),
      words.getUint32(at + 4, isLittle),
      captured,
      length,
      nearSeconds,
    );
  }

  /** How many fields are not plausible for a record of about the time `nearSeconds` (0 if unknown). */
  #implausibleFields(seconds: number, fraction: number, captured: number, length: number, nearSeconds: number): number {
    let count = captured === 0 || captured > this.#maxCaptured || length < captured || length > maxFrameBytes ? 1 : 0;
    if (fraction >= this.#fractions) count += 1;
    if (nearSeconds !== 0 && Math.abs(seconds - nearSeconds) >= maxGapSeconds) count += 1;
    return count;
  }
}
