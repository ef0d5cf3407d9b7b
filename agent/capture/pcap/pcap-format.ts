// The pcap format (draft-ietf-opsawg-pcap): a header of 24 bytes, then records.
import {
  type ChunkPosition,
  type Format,
  maxFoundBytes,
  type OnPacket,
  type ReadStep,
  type Resumed,
  wordsOf,
} from './format.ts';

const headerBytes = 24;
/** libpcap's largest capture length; a file may state a larger one. */
const defaultSnapLength = 262_144;
const maxSnapLength = 8 * 1024 * 1024;
/** No frame is longer, even with segmentation offload. */
const maxFrameBytes = 16 * 1024 * 1024;
/** A larger gap between two records is implausible. */
const maxGapSeconds = 86_400;
/** Records whose lengths lead from one to the next are valid, whatever else is odd about them. */
const chainRecords = 16;
const maxChainBytes = 256 * 1024;
const microseconds = 1_000_000;
const nanoseconds = 1_000_000_000;

/** What can be odd about a record, as bits. */
const odd = { captured: 1, length: 2, fraction: 4, time: 8 };

/**
 * Byte order, time unit and length of a record's header by the first four bytes, read as little-endian. The modified format
 * (Kuznetzov) has the index of the interface and 4 more bytes in each header.
 */
const magics = new Map([
  [0xa1b2c3d4, { order: 'little', fractions: microseconds, recordBytes: 16 }],
  [0xd4c3b2a1, { order: 'big', fractions: microseconds, recordBytes: 16 }],
  [0xa1b23c4d, { order: 'little', fractions: nanoseconds, recordBytes: 16 }],
  [0x4d3cb2a1, { order: 'big', fractions: nanoseconds, recordBytes: 16 }],
  [0xa1b2cd34, { order: 'little', fractions: microseconds, recordBytes: 24 }],
  [0x34cdb2a1, { order: 'big', fractions: microseconds, recordBytes: 24 }],
] as const);

const versions = { major: 2, minor: 4 };

type Chain = { holds: boolean; oddities: number } | { need: number };

export class PcapFormat implements Format {
  packets = 0;
  readonly dropped = 0;
  #isLittle = true;
  #fractions = microseconds;
  #recordBytes = 16;
  #linkType = -1;
  #checkSequenceBytes = 0;
  #snapLength = 0;
  #maxCaptured = defaultSnapLength;
  #lastSeconds = 0;
  /** What all records of this file have, so that it says nothing about one of them. */
  #usual = 0;
  #isUsualKnown = false;

  static of(magic: number): PcapFormat | undefined {
    return magics.has(magic as 0xa1b2c3d4) ? new PcapFormat() : undefined;
  }

  read(bytes: Buffer, start: number, end: number, chunkPosition: ChunkPosition, onPacket: OnPacket): ReadStep {
    const words = wordsOf(bytes);
    let at = start;
    if (this.#linkType < 0) {
      if (end - at < headerBytes) return { at, need: headerBytes };
      this.#readHeader(words, at);
      at += headerBytes;
    }
    if (!this.#isUsualKnown) {
      const need = this.#learnUsual(words, at, end, chunkPosition);
      if (need > 0) return { at, need };
    }
    let isLittle = this.#isLittle;
    let recordBytes = this.#recordBytes;
    let unit = this.#fractions / microseconds;
    // hot, once a packet: each word is read once; make bench-capture, budget replay-vs-nfpcapd
    while (end - at >= recordBytes) {
      const captured = words.getUint32(at + 8, isLittle);
      const seconds = words.getUint32(at, isLittle);
      const fraction = words.getUint32(at + 4, isLittle);
      const length = words.getUint32(at + 12, isLittle);
      const oddities = this.#oddities(seconds, fraction, captured, length, this.#lastSeconds);
      if ((oddities & odd.captured) !== 0) {
        // A file may be several, one after the other.
        if (end - at < headerBytes && chunkPosition === 'more') return { at, need: headerBytes };
        if (isHeaderAt(words, at, end)) {
          this.#readHeader(words, at);
          at += headerBytes;
          const need = this.#learnUsual(words, at, end, chunkPosition);
          if (need > 0) return { at, need };
          isLittle = this.#isLittle;
          recordBytes = this.#recordBytes;
          unit = this.#fractions / microseconds;
          continue;
        }
        if (captured > this.#maxCaptured) {
          return this.#faulty(words, at, end, chunkPosition, `a packet claims ${captured} bytes`);
        }
      }
      const next = at + recordBytes + captured;
      if (next > end) return { at, need: recordBytes + captured };
      // One implausible field may be valid. But after a wrong length, no valid record follows.
      if (oddities !== 0) {
        const isLast = next + recordBytes > end;
        if (isLast && chunkPosition === 'more') return { at, need: next + recordBytes - at };
        const isDoubtful = !isLast && !isHeaderAt(words, next, end) && this.#isDoubtful(words, next, seconds, oddities);
        if (isDoubtful) {
          const chain = this.#chainAt(words, at, end, chunkPosition);
          if ('need' in chain) return { at, need: chain.need };
          if (!chain.holds) return this.#faulty(words, at, end, chunkPosition, 'no valid packet header');
        }
      }
      const timeUs = seconds * 1_000_000 + Math.floor(fraction / unit);
      this.#lastSeconds = seconds;
      this.packets += 1;
      const source = recordBytes > 16 ? words.getUint32(at + 16, isLittle) : 0;
      if (this.#checkSequenceBytes === 0)
        onPacket(bytes, at + recordBytes, next, length, this.#linkType, source, timeUs);
      else this.#passWithoutCheckSequence(bytes, at + recordBytes, next, length, source, timeUs, onPacket);
      at = next;
    }
    return { at, need: recordBytes };
  }

  /** A frame of at most the snap length is captured whole. So its length on the wire leads to the next record. */
  #faulty(words: DataView, at: number, end: number, chunkPosition: ChunkPosition, fault: string): ReadStep {
    const recordBytes = this.#recordBytes;
    const length = words.getUint32(at + 12, this.#isLittle);
    if (length === 0 || length > this.#snapLength || length > defaultSnapLength) return { at, fault };
    const next = at + recordBytes + length;
    if (next + recordBytes > end)
      return chunkPosition === 'more' ? { at, need: next + recordBytes - at } : { at, fault };
    const isCertain = this.#odditiesAt(words, next, this.#lastSeconds) === 0;
    return isCertain ? { at, fault, skip: next - at } : { at, fault };
  }

  isCredible(bytes: Buffer, at: number, end: number): boolean {
    return end - at < this.#recordBytes || this.#odditiesAt(wordsOf(bytes), at, this.#lastSeconds) === 0;
  }

  /** Some captures have the check sequence of the link after each frame. */
  #passWithoutCheckSequence(
    bytes: Buffer,
    start: number,
    end: number,
    length: number,
    source: number,
    timeUs: number,
    onPacket: OnPacket,
  ): void {
    const onWire = Math.max(0, length - this.#checkSequenceBytes);
    onPacket(bytes, start, Math.min(end, start + onWire), onWire, this.#linkType, source, timeUs);
  }

  /** A valid record is close in time to the record before it. If there was none, another record must follow it. */
  resume(bytes: Buffer, start: number, end: number, chunkPosition: ChunkPosition): Resumed {
    const words = wordsOf(bytes);
    const recordBytes = this.#recordBytes;
    for (let at = start; at + recordBytes <= end; at++) {
      if (isHeaderAt(words, at, end)) return { found: true, at };
      if (this.#odditiesAt(words, at, this.#lastSeconds) !== 0) continue;
      const captured = words.getUint32(at + 8, this.#isLittle);
      if (captured > maxFoundBytes) continue;
      const need = recordBytes + captured + (this.#lastSeconds === 0 ? recordBytes : 0);
      if (at + need > end && chunkPosition === 'more') return { found: false, at, need };
      if (at + need > end) continue;
      if (this.#lastSeconds !== 0) return { found: true, at };
      const next = at + recordBytes + captured;
      if (this.#odditiesAt(words, next, words.getUint32(at, this.#isLittle)) === 0) return { found: true, at };
    }
    return { found: false, at: Math.max(start, end - recordBytes + 1), need: recordBytes };
  }

  #readHeader(words: DataView, at: number): void {
    const { order, fractions, recordBytes } = magics.get(words.getUint32(at, true) as 0xa1b2c3d4)!;
    this.#isLittle = order === 'little';
    this.#fractions = fractions;
    this.#recordBytes = recordBytes;
    const snapLength = words.getUint32(at + 16, this.#isLittle);
    this.#snapLength = snapLength;
    this.#maxCaptured = Math.max(defaultSnapLength, Math.min(snapLength, maxSnapLength));
    const linkType = words.getUint32(at + 20, this.#isLittle);
    this.#linkType = linkType & 0xffff;
    // The length of the check sequence in 16-bit words, and the bit that says whether it is given.
    this.#checkSequenceBytes = (linkType & 0x04000000) === 0 ? 0 : (linkType >>> 28) * 2;
    this.#lastSeconds = 0;
    this.#usual = 0;
    this.#isUsualKnown = false;
  }

  /** What is odd about the first records is usual in this file. Returns how many bytes that needs; 0 if it is known. */
  #learnUsual(words: DataView, at: number, end: number, chunkPosition: ChunkPosition): number {
    const chain = this.#chainAt(words, at, end, chunkPosition);
    if ('need' in chain) return chain.need;
    this.#isUsualKnown = true;
    if (!chain.holds) return 0;
    this.#usual = chain.oddities & (odd.length | odd.fraction);
    if ((this.#usual & odd.fraction) !== 0) this.#fractions = nanoseconds;
    return 0;
  }

  /**
   * Whether the lengths of the records lead from one to the next, for `chainRecords` or up to the end of the file. `oddities`
   * are those of half of them or more: the smallest nanoseconds look like microseconds.
   */
  #chainAt(words: DataView, start: number, end: number, chunkPosition: ChunkPosition): Chain {
    const counts = { length: 0, fraction: 0 };
    let records = 0;
    let at = start;
    while (records < chainRecords && at - start < maxChainBytes && !isHeaderAt(words, at, end)) {
      const headerEnd = at + this.#recordBytes;
      if (headerEnd > end) {
        if (chunkPosition === 'more') return { need: headerEnd - start };
        break;
      }
      const captured = words.getUint32(at + 8, this.#isLittle);
      const fraction = words.getUint32(at + 4, this.#isLittle);
      const length = words.getUint32(at + 12, this.#isLittle);
      const isLink = captured > 0 && captured <= this.#maxCaptured && fraction < nanoseconds && length <= maxFrameBytes;
      if (!isLink) return { holds: false, oddities: 0 };
      if (headerEnd + captured > end) {
        if (chunkPosition === 'more') return { need: headerEnd + captured - start };
        break;
      }
      if (length < captured) counts.length += 1;
      if (fraction >= this.#fractions) counts.fraction += 1;
      records += 1;
      at = headerEnd + captured;
    }
    const isAtEnd = at === end || isHeaderAt(words, at, end);
    const oddities =
      (counts.length * 2 >= records ? odd.length : 0) | (counts.fraction * 2 >= records ? odd.fraction : 0);
    return { holds: records > 1 || (records === 1 && isAtEnd), oddities };
  }

  #isDoubtful(words: DataView, next: number, seconds: number, oddities: number): boolean {
    const ofNext = countOf(this.#odditiesAt(words, next, seconds));
    return ofNext > 1 || (ofNext > 0 && countOf(oddities) > 1);
  }

  #odditiesAt(words: DataView, at: number, nearSeconds: number): number {
    const isLittle = this.#isLittle;
    return this.#oddities(
      words.getUint32(at, isLittle),
      words.getUint32(at + 4, isLittle),
      words.getUint32(at + 8, isLittle),
      words.getUint32(at + 12, isLittle),
      nearSeconds,
    );
  }

  /** What is not plausible for a record of about the time `nearSeconds` (0 if unknown), and not usual. */
  #oddities(seconds: number, fraction: number, captured: number, length: number, nearSeconds: number): number {
    // Of most records, nothing is.
    const isPlausible =
      captured > 0 &&
      captured <= this.#maxCaptured &&
      length >= captured &&
      length <= maxFrameBytes &&
      fraction < this.#fractions &&
      Math.abs(seconds - nearSeconds) < maxGapSeconds;
    if (isPlausible) return 0;
    let oddities = captured === 0 || captured > this.#maxCaptured ? odd.captured : 0;
    if (length < captured || length > maxFrameBytes) oddities |= odd.length;
    if (fraction >= this.#fractions) oddities |= odd.fraction;
    if (nearSeconds !== 0 && Math.abs(seconds - nearSeconds) >= maxGapSeconds) oddities |= odd.time;
    return oddities & ~this.#usual;
  }
}

/** The header of another pcap file. */
function isHeaderAt(words: DataView, at: number, end: number): boolean {
  if (end - at < headerBytes) return false;
  const known = magics.get(words.getUint32(at, true) as 0xa1b2c3d4);
  if (known === undefined) return false;
  const isLittle = known.order === 'little';
  return words.getUint16(at + 4, isLittle) === versions.major && words.getUint16(at + 6, isLittle) === versions.minor;
}

/** Lengths count once, because a wrong captured length mostly contradicts the original length too. */
function countOf(oddities: number): number {
  const ofLengths = (oddities & (odd.captured | odd.length)) !== 0 ? 1 : 0;
  return ofLengths + ((oddities & odd.fraction) !== 0 ? 1 : 0) + ((oddities & odd.time) !== 0 ? 1 : 0);
}
