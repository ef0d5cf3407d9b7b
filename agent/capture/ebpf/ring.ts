// The reading end of a BPF ring buffer (BPF_MAP_TYPE_RINGBUF): two pages with the positions, then the data, mapped twice
// so that no record is cut.
import { addressOf, libcMmap, libcMunmap, memory } from './kernel.ts';

const pageBytes = 4096;
const headerBytes = 8;
const BUSY = 0x80000000;
const DISCARDED = 0x40000000;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;

export class Ring {
  readonly #consumer: BigInt64Array;
  readonly #producer: BigInt64Array;
  readonly #data: DataView;
  readonly #bytes: Uint8Array;
  readonly #mask: number;
  readonly #mappings: { pointer: unknown; bytes: number }[] = [];
  #position = 0;

  /** `size` is the map's max_entries: bytes, a power of two. */
  constructor(fd: number, size: number) {
    this.#mask = size - 1;
    this.#consumer = new BigInt64Array(this.#map(fd, pageBytes, PROT_READ | PROT_WRITE, 0), 0, 1);
    const rest = this.#map(fd, pageBytes + 2 * size, PROT_READ, pageBytes);
    this.#producer = new BigInt64Array(rest, 0, 1);
    this.#data = new DataView(rest, pageBytes);
    this.#bytes = new Uint8Array(rest, pageBytes);
    this.#position = Number(Atomics.load(this.#consumer, 0));
  }

  /**
   * Hands over records, oldest first, until `use` returns 'later' for one: that one comes again. `bytes` is valid until it
   * returns.
   */
  read(use: (bytes: Uint8Array) => 'done' | 'later'): void {
    const end = Number(Atomics.load(this.#producer, 0));
    while (this.#position < end) {
      const at = this.#position & this.#mask;
      const header = this.#data.getUint32(at, true);
      if ((header & BUSY) !== 0) break;
      const length = header & ~(BUSY | DISCARDED);
      const isThere = (header & DISCARDED) === 0;
      if (isThere && use(this.#bytes.subarray(at + headerBytes, at + headerBytes + length)) === 'later') break;
      this.#position += headerBytes + ((length + 7) & ~7);
      Atomics.store(this.#consumer, 0, BigInt(this.#position));
    }
  }

  close(): void {
    for (const { pointer, bytes } of this.#mappings) libcMunmap(pointer, bytes);
    this.#mappings.length = 0;
  }

  #map(fd: number, bytes: number, protection: number, offset: number): ArrayBuffer {
    const pointer: unknown = libcMmap(null, bytes, protection, MAP_SHARED, fd, offset);
    if (BigInt.asIntN(64, addressOf(pointer)) === -1n) throw new Error('mmap(2) of the ring is refused');
    this.#mappings.push({ pointer, bytes });
    return memory(pointer, bytes);
  }
}
