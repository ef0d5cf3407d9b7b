// The classic format of libpcap (draft-ietf-opsawg-pcap): a header of 24 bytes, then records.
import type { Format, OnPacket, Step } from './file.ts';

const headerBytes = 24;
const recordBytes = 16;
/** More than any capture length of libpcap: a record that claims more is none. */
const mostCaptured = 256 * 1024 * 1024;

/** By the first four bytes, read as little-endian: byte order, and how many µs the fraction's unit is. */
const magics = new Map([
  [0xa1b2c3d4, { order: 'little', unitUs: 1 }],
  [0xd4c3b2a1, { order: 'big', unitUs: 1 }],
  [0xa1b23c4d, { order: 'little', unitUs: 0.001 }],
  [0x4d3cb2a1, { order: 'big', unitUs: 0.001 }],
] as const);

export class PcapFormat implements Format {
  readonly #word: (bytes: Buffer, at: number) => number;
  readonly #unitUs: number;
  #linkType = -1;

  private constructor(order: 'little' | 'big', unitUs: number) {
    this.#word = order === 'little' ? (bytes, at) => bytes.readUInt32LE(at) : (bytes, at) => bytes.readUInt32BE(at);
    this.#unitUs = unitUs;
  }

  static of(magic: number): PcapFormat | undefined {
    const known = magics.get(magic as 0xa1b2c3d4);
    return known && new PcapFormat(known.order, known.unitUs);
  }

  read(bytes: Buffer, start: number, end: number, onPacket: OnPacket): Step {
    const word = this.#word;
    let at = start;
    if (this.#linkType < 0) {
      if (end - at < headerBytes) return { at, need: headerBytes };
      // The upper bits tell whether a frame check sequence follows.
      this.#linkType = word(bytes, at + 20) & 0x0fffffff;
      at += headerBytes;
    }
    while (end - at >= recordBytes) {
      const captured = word(bytes, at + 8);
      if (captured > mostCaptured) return { at, fault: `a packet claims ${captured} bytes` };
      const next = at + recordBytes + captured;
      if (next > end) return { at, need: recordBytes + captured };
      const timeUs = word(bytes, at) * 1_000_000 + Math.floor(word(bytes, at + 4) * this.#unitUs);
      onPacket(bytes, at + recordBytes, next, word(bytes, at + 12), this.#linkType, timeUs);
      at = next;
    }
    return { at, need: recordBytes };
  }
}
