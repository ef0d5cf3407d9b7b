// The classic format of libpcap (draft-ietf-opsawg-pcap): a header of 24 bytes, then records.
import type { Format, OnPacket, Resumed, Step } from './file.ts';

const headerBytes = 24;
const recordBytes = 16;
/** libpcap's own greatest capture length; a file may name a greater one. */
const usualSnapLength = 262_144;
const mostSnapLength = 8 * 1024 * 1024;
/** A frame is no longer than that, with segmentation offload and a large window of it. */
const mostFrameBytes = 16 * 1024 * 1024;
/** A record that is looked for behind a fault is not further than that from the last one. */
const nearbySeconds = 86_400;

/** By the first four bytes, read as little-endian: byte order, and fractions of a second. */
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
  #mostCaptured = usualSnapLength;
  #lastSeconds = 0;

  private constructor(order: 'little' | 'big', fractions: number) {
    this.#isLittle = order === 'little';
    this.#fractions = fractions;
  }

  static of(magic: number): PcapFormat | undefined {
    const known = magics.get(magic as 0xa1b2c3d4);
    return known && new PcapFormat(known.order, known.fractions);
  }

  read(bytes: Buffer, start: number, end: number, onPacket: OnPacket): Step {
    let at = start;
    if (this.#linkType < 0) {
      if (end - at < headerBytes) return { at, need: headerBytes };
      this.#readHeader(bytes, at);
      at += headerBytes;
    }
    const unit = this.#fractions / 1_000_000;
    // hot, once a packet
    while (end - at >= recordBytes) {
      const captured = this.#word(bytes, at + 8);
      if (captured > this.#mostCaptured) return { at, fault: `a packet claims ${captured} bytes` };
      const next = at + recordBytes + captured;
      if (next > end) return { at, need: recordBytes + captured };
      const seconds = this.#word(bytes, at);
      const timeUs = seconds * 1_000_000 + Math.floor(this.#word(bytes, at + 4) / unit);
      this.#lastSeconds = seconds;
      this.packets += 1;
      onPacket(bytes, at + recordBytes, next, this.#word(bytes, at + 12), this.#linkType, 0, timeUs);
      at = next;
    }
    return { at, need: recordBytes };
  }

  resume(bytes: Buffer, start: number, end: number, place: 'last' | 'more'): Resumed {
    for (let at = start; at + recordBytes <= end; at++) {
      if (!this.#isPlausible(bytes, at)) continue;
      const next = at + recordBytes + this.#word(bytes, at + 8);
      if (next + recordBytes > end && place === 'more') return { found: false, at, need: next + recordBytes - at };
      if (next === end || (next + recordBytes <= end && this.#isPlausible(bytes, next))) return { found: true, at };
    }
    return { found: false, at: Math.max(start, end - recordBytes + 1), need: recordBytes };
  }

  #readHeader(bytes: Buffer, at: number): void {
    this.#mostCaptured = Math.max(usualSnapLength, Math.min(this.#word(bytes, at + 16), mostSnapLength));
    // The upper bits tell whether a frame check sequence follows.
    this.#linkType = this.#word(bytes, at + 20) & 0x0fffffff;
  }

  #isPlausible(bytes: Buffer, at: number): boolean {
    const captured = this.#word(bytes, at + 8);
    const length = this.#word(bytes, at + 12);
    if (captured === 0 || captured > this.#mostCaptured || length < captured || length > mostFrameBytes) return false;
    if (this.#word(bytes, at + 4) >= this.#fractions) return false;
    return this.#lastSeconds === 0 || Math.abs(this.#word(bytes, at) - this.#lastSeconds) < nearbySeconds;
  }

  #word(bytes: Buffer, at: number): number {
    return this.#isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
  }
}
