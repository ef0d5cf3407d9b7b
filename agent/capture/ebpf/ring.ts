// Reads a BPF ring buffer (BPF_MAP_TYPE_RINGBUF): two pages with the positions, then the data. The data is mapped twice in a
// row, so a record that wraps around is contiguous.
import { type Mapping, mapShared } from '../../../kernel/memory.ts';

const pageBytes = 4096;
const headerBytes = 8;
const BUSY = 0x80000000;
const DISCARDED = 0x40000000;

export class Ring {
  readonly #consumer: BigInt64Array;
  readonly #producer: BigInt64Array;
  readonly #data: DataView;
  readonly #bytes: Uint8Array;
  readonly #mask: number;
  readonly #mappings: Mapping[] = [];
  #position = 0;

  /** `size` is the map's max_entries: bytes, a power of two. */
  constructor(fd: number, size: number) {
    this.#mask = size - 1;
    this.#consumer = new BigInt64Array(this.#map(fd, pageBytes, 'read-write', 0), 0, 1);
    const dataPages = this.#map(fd, pageBytes + 2 * size, 'read', pageBytes);
    this.#producer = new BigInt64Array(dataPages, 0, 1);
    this.#data = new DataView(dataPages, pageBytes);
    this.#bytes = new Uint8Array(dataPages, pageBytes);
    this.#position = Number(Atomics.load(this.#consumer, 0));
  }

  /** Calls `onRecord` for each record, oldest first. `bytes` is valid until it returns. */
  read(onRecord: (bytes: Uint8Array) => void): void {
    const end = Number(Atomics.load(this.#producer, 0));
    while (this.#position < end) {
      const at = this.#position & this.#mask;
      const header = this.#data.getUint32(at, true);
      if ((header & BUSY) !== 0) break;
      const length = header & ~(BUSY | DISCARDED);
      if ((header & DISCARDED) === 0) onRecord(this.#bytes.subarray(at + headerBytes, at + headerBytes + length));
      this.#position += headerBytes + ((length + 7) & ~7);
      Atomics.store(this.#consumer, 0, BigInt(this.#position));
    }
  }

  close(): void {
    for (const mapping of this.#mappings) mapping.unmap();
    this.#mappings.length = 0;
  }

  #map(fd: number, bytes: number, access: 'read' | 'read-write', offset: number): ArrayBuffer {
    const mapping = mapShared(fd, bytes, access, offset);
    if (mapping === undefined) throw new Error('cannot map the ring buffer: mmap(2) is refused');
    this.#mappings.push(mapping);
    return mapping.memory;
  }
}
