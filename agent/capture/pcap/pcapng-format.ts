// The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks, each with its own byte order and interfaces.
import {
  type ChunkPosition,
  type Format,
  maxFoundBytes,
  type OnPacket,
  type ReadStep,
  type Resumed,
  wordsOf,
} from './format.ts';

const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const OLD_PACKET = 2;
const SIMPLE_PACKET = 3;
const STATISTICS = 5;
const ENHANCED_PACKET = 6;
const BYTE_ORDER = 0x1a2b3c4d;
/** A longer block is invalid. */
const maxBlockBytes = 16 * 1024 * 1024;
/** An interface of a section is a few words, and a packet names one by its number. */
const maxInterfaces = 65_536;
/** About the year 2243: the last time that a date of JavaScript has. */
const maxTimeUs = 8.64e15;
/** Packets have few options. */
const maxOptionBytes = 65_536;
const OPTION_RESOLUTION = 9;
const OPTION_OFFSET = 14;
const OPTION_INTERFACE_DROPS = 5;
const OPTION_SYSTEM_DROPS = 7;
/** A larger count is invalid. */
const maxDropped = 2 ** 40;

type Interface = { linkType: number; snapLength: number; ticksPerSecond: number; offsetUs: number; dropped: number };

export class PcapngFormat implements Format {
  static readonly magic = SECTION;
  packets = 0;
  dropped = 0;
  #isLittle = true;
  /** The chunk that is being read. */
  #words: DataView = new DataView(new ArrayBuffer(0));
  #interfaces: Interface[] = [];
  /** Simple packets have no time; they get that of the packet before. */
  #timeUs = 0;

  read(bytes: Buffer, start: number, end: number, _chunkPosition: ChunkPosition, onPacket: OnPacket): ReadStep {
    this.#words = wordsOf(bytes);
    let at = start;
    // hot, once a packet: make bench-capture, budget replay-vs-nfpcapd
    while (end - at >= 12) {
      // The type of a section header is the same in both byte orders.
      const type = this.#uint32At(at);
      if (type === SECTION && !this.#beginSection(at + 8)) return { at, fault: 'a section has no byte order' };
      const length = this.#uint32At(at + 4);
      if (!isBlockLength(length)) return { at, fault: `a block claims ${length} bytes` };
      if (at + length > end) return { at, need: length };
      if (this.#uint32At(at + length - 4) !== length) return { at, fault: 'a block has two different lengths' };
      const fault = this.#block(type, bytes, at + 8, at + length - 4, onPacket);
      if (fault !== undefined) return { at, fault, skip: length };
      at += length;
    }
    return { at, need: 12 };
  }

  isCredible(bytes: Buffer, at: number, end: number): boolean {
    this.#words = wordsOf(bytes);
    if (end - at < 8) return true;
    const [type, length] = [this.#uint32At(at), this.#uint32At(at + 4)];
    if (type === SIMPLE_PACKET) return end - at < 12 || length <= 16 + padded(this.#uint32At(at + 8));
    if ((type !== ENHANCED_PACKET && type !== OLD_PACKET) || end - at < 28) return true;
    const captured = this.#uint32At(at + 20);
    const optionBytes = length - 32 - padded(captured);
    return captured <= this.#uint32At(at + 24) && optionBytes >= 0 && optionBytes <= maxOptionBytes;
  }

  /** Blocks begin at multiples of four bytes, but after a fault they may not. */
  resume(bytes: Buffer, start: number, end: number, chunkPosition: ChunkPosition): Resumed {
    const words = wordsOf(bytes);
    this.#words = words;
    for (let at = start; at + 12 <= end; at++) {
      const type = this.#uint32At(at);
      if (type !== SECTION && (type < INTERFACE || type > ENHANCED_PACKET)) continue;
      const isLittle = type === SECTION ? isLittleAt(words, at + 8) : this.#isLittle;
      if (isLittle === undefined) continue;
      const length = words.getUint32(at + 4, isLittle);
      if (!isBlockLength(length) || length > maxFoundBytes) continue;
      if (at + length > end && chunkPosition === 'more') return { found: false, at, need: length };
      if (at + length <= end && words.getUint32(at + length - 4, isLittle) === length) return { found: true, at };
    }
    return { found: false, at: Math.max(start, end - 11), need: 12 };
  }

  #beginSection(at: number): boolean {
    const isLittle = isLittleAt(this.#words, at);
    if (isLittle === undefined) return false;
    this.#isLittle = isLittle;
    this.#interfaces = [];
    return true;
  }

  /** Returns the fault of the block, if it has one. */
  #block(type: number, bytes: Buffer, at: number, end: number, onPacket: OnPacket): string | undefined {
    switch (type) {
      case INTERFACE:
        if (end - at < 8) return 'an interface block is too short';
        if (this.#interfaces.length >= maxInterfaces) return `a section has more than ${maxInterfaces} interfaces`;
        this.#interfaces.push(this.#interface(at, end));
        return undefined;
      case ENHANCED_PACKET:
        if (end - at < 20) return 'a packet block is too short';
        return this.#packet(this.#uint32At(at), bytes, at + 4, end, onPacket);
      case OLD_PACKET:
        if (end - at < 20) return 'a packet block is too short';
        return this.#packet(this.#uint16At(at), bytes, at + 4, end, onPacket);
      case SIMPLE_PACKET:
        return this.#simplePacket(bytes, at, end, onPacket);
      case STATISTICS:
        this.#statistics(at, end);
        return undefined;
      default:
        return undefined;
    }
  }

  #interface(at: number, end: number): Interface {
    const parsed = {
      linkType: this.#uint16At(at),
      snapLength: this.#uint32At(at + 4),
      ticksPerSecond: 1_000_000,
      offsetUs: 0,
      dropped: 0,
    };
    for (let option = at + 8; option + 4 <= end; ) {
      const code = this.#uint16At(option);
      const length = this.#uint16At(option + 2);
      if (code === 0 || option + 4 + length > end) break;
      if (code === OPTION_RESOLUTION && length === 1) {
        const resolution = this.#words.getUint8(option + 4);
        parsed.ticksPerSecond = resolution & 0x80 ? 2 ** (resolution & 0x7f) : 10 ** resolution;
      } else if (code === OPTION_OFFSET && length === 8) {
        parsed.offsetUs = Number(this.#words.getBigInt64(option + 4, this.#isLittle)) * 1_000_000;
      }
      option += 4 + ((length + 3) & ~3);
    }
    return parsed;
  }

  /** The counts are those since the beginning of the capture: a later block replaces an earlier one. */
  #statistics(at: number, end: number): void {
    const source = end - at < 12 ? undefined : this.#interfaces[this.#uint32At(at)];
    if (source === undefined) return;
    let dropped = 0;
    for (let option = at + 12; option + 4 <= end; ) {
      const code = this.#uint16At(option);
      const length = this.#uint16At(option + 2);
      if (code === 0 || option + 4 + length > end) break;
      if ((code === OPTION_INTERFACE_DROPS || code === OPTION_SYSTEM_DROPS) && length === 8) {
        const count = Number(this.#words.getBigUint64(option + 4, this.#isLittle));
        if (count <= maxDropped) dropped += count;
      }
      option += 4 + padded(length);
    }
    this.dropped += Math.max(0, dropped - source.dropped);
    source.dropped = Math.max(dropped, source.dropped);
  }

  /** `at` is the offset of the time stamp. */
  #packet(index: number, bytes: Buffer, at: number, end: number, onPacket: OnPacket): string | undefined {
    const source = this.#interfaces[index];
    if (source === undefined) return `a packet names interface ${index}, which the section does not have`;
    const captured = this.#uint32At(at + 8);
    if (at + 16 + captured > end) return `a packet claims ${captured} bytes, more than its block`;
    const timeUs = timeUsOf(this.#uint32At(at), this.#uint32At(at + 4), source.ticksPerSecond) + source.offsetUs;
    if (timeUs < 0 || timeUs > maxTimeUs) return 'a packet has a time before 1970 or after 2243';
    this.#timeUs = timeUs;
    this.packets += 1;
    onPacket(bytes, at + 16, at + 16 + captured, this.#uint32At(at + 12), source.linkType, index, this.#timeUs);
    return undefined;
  }

  #simplePacket(bytes: Buffer, at: number, end: number, onPacket: OnPacket): string | undefined {
    const source = this.#interfaces[0];
    if (source === undefined || end - at < 4) return 'a simple packet has no interface';
    const length = this.#uint32At(at);
    const limit = source.snapLength === 0 ? length : Math.min(length, source.snapLength);
    this.packets += 1;
    onPacket(bytes, at + 4, at + 4 + Math.min(limit, end - at - 4), length, source.linkType, 0, this.#timeUs);
    return undefined;
  }

  #uint32At(at: number): number {
    return this.#words.getUint32(at, this.#isLittle);
  }

  #uint16At(at: number): number {
    return this.#words.getUint16(at, this.#isLittle);
  }
}

/** Reads the byte-order mark; undefined if it is invalid. */
function isLittleAt(words: DataView, at: number): boolean | undefined {
  if (words.getUint32(at, true) === BYTE_ORDER) return true;
  return words.getUint32(at, false) === BYTE_ORDER ? false : undefined;
}

/** Data in blocks is padded to multiples of four bytes. */
function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}

function isBlockLength(length: number): boolean {
  return length >= 12 && length % 4 === 0 && length <= maxBlockBytes;
}

/** Exact, also for nanoseconds above 2^53; needs no bigint for the usual units. */
function timeUsOf(high: number, low: number, ticksPerSecond: number): number {
  if (ticksPerSecond === 1_000_000) return high * 4_294_967_296 + low;
  // 2^32 ns are 4,294,967 µs and 296 ns.
  if (ticksPerSecond === 1_000_000_000) return high * 4_294_967 + Math.floor((high * 296 + low) / 1000);
  const ticks = (BigInt(high) << 32n) | BigInt(low);
  const perSecond = BigInt(ticksPerSecond);
  return Number((ticks * 1_000_000n) / perSecond);
}
