// Live connections as columns of numbers, with a hash table of their keys. A packet of a known connection allocates
// nothing.

/** Words of a key: lower end (4), higher end (4), both ports, protocol with `podIsLowInKey`, interface. */
export const keyWords = 11;
/** Words from one row's key to the next: each key has its own cache line. */
export const keyStride = 16;
/**
 * The end behind the pod's interface is part of the key. A packet with a forged source address, which leaves by the
 * interface that it should enter by, belongs to no connection of the pod. Not set in files, nor if both addresses are
 * equal, because a pod may connect to itself.
 */
export const podIsLowInKey = 0x100;
export const protocolInKey = 0xff;

/** What is known of a connection, as bits of `state`. */
export const bit = {
  used: 1,
  initiatorIsLow: 2,
  initiatorCertain: 4,
  podIsLow: 8,
  /** Reported at the next drain. */
  changed: 16,
  ended: 32,
  unreachable: 64,
  answered: 128,
  /** The initial sequence number of that end is known: from its SYN or SYN-ACK, or from the SYN-ACK that answers it. */
  hasIsnLow: 256,
  retried: 512,
  synSeen: 1024,
  /** A record was emitted, so the beginning that it states must not change. */
  reported: 2048,
  /** Seen at no pod's interface. */
  atHost: 4096,
  deliveryUnproven: 8192,
  bothSentSyn: 16384,
  /** The lower end sent the first packet. */
  firstIsFromLow: 32_768,
  hasIsnHigh: 65536,
  /** TCP: the initiator sent an acknowledgement other than a SYN-ACK. */
  initiatorAcked: 131_072,
  /** A SYN may have begun another connection; the next answer decides (handshakes.ts). */
  contested: 262_144,
  /** Answered, and for TCP acknowledged by the initiator: a SYN and its SYN-ACK alone cost a sender nothing. */
  confirmed: 524_288,
} as const;

const initialRows = 1024;
const firstGrowthRows = 131_072;

export class FlowColumns {
  capacity = 0;
  key = new Uint32Array(0);
  hash = new Int32Array(0);
  state = new Uint32Array(0);
  beganUs = new Float64Array(0);
  firstUs = new Float64Array(0);
  lastUs = new Float64Array(0);
  reportedUs = new Float64Array(0);
  packetsFromLow = new Float64Array(0);
  packetsFromHigh = new Float64Array(0);
  frames = new Float64Array(0);
  bytesFromLow = new Float64Array(0);
  bytesFromHigh = new Float64Array(0);
  flagsFromLow = new Uint8Array(0);
  flagsFromHigh = new Uint8Array(0);
  /** FIN seen from the lower (1) and the higher end (2), since the connection began. */
  closed = new Uint8Array(0);
  /** Initial sequence numbers; valid if the state says so. */
  isnLow = new Uint32Array(0);
  isnHigh = new Uint32Array(0);
  synRetries = new Uint16Array(0);
  rttUs = new Uint32Array(0);
  /** The neighbours of an unanswered row in the list of its interface (table-shares.ts). */
  earlier = new Int32Array(0);
  later = new Int32Array(0);
  /**
   * Pairs of hash and row, so that most searches read one cache line. Row -1: the slot is empty, at least half of them
   * are.
   */
  #slots = new Int32Array(16).fill(-1);
  /** Rows that can be used again. */
  readonly #free: number[] = [];
  #used = 0;
  #rowsEnd = 0;

  get used(): number {
    return this.#used;
  }

  /** No row from this one on was ever in use. */
  get rowsEnd(): number {
    return this.#rowsEnd;
  }

  /** hot, once a packet. The row with this key, or -1. */
  find(searchKey: Uint32Array, hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = (hash << 1) & mask; ; slot = (slot + 2) & mask) {
      const row = slots[slot + 1]!;
      if (row < 0) return -1;
      if (slots[slot] === hash && this.#isKey(row, searchKey)) return row;
    }
  }

  /** A new row with this key and zeros; -1 if `maxRows` rows are in use. */
  take(searchKey: Uint32Array, hash: number, maxRows: number): number {
    if (this.#used >= maxRows) return -1;
    const row = this.#free.pop() ?? this.#newRow(maxRows);
    this.key.set(searchKey, row * keyStride);
    this.hash[row] = hash;
    this.reset(row);
    this.#used += 1;
    if (this.#used * 4 > this.#slots.length) this.#resizeSlots(this.#slots.length * 2);
    else this.#insert(row);
    return row;
  }

  /** Clears all but the key. */
  reset(row: number): void {
    this.state[row] = bit.used;
    this.closed[row] = 0;
    this.rttUs[row] = 0;
    this.clearInterval(row);
  }

  /** No packet in this interval. */
  isEmpty(row: number): boolean {
    return this.packetsFromLow[row] === 0 && this.packetsFromHigh[row] === 0;
  }

  clearInterval(row: number): void {
    this.packetsFromLow[row] = this.packetsFromHigh[row] = 0;
    this.frames[row] = 0;
    this.bytesFromLow[row] = this.bytesFromHigh[row] = 0;
    this.flagsFromLow[row] = this.flagsFromHigh[row] = 0;
    this.synRetries[row] = 0;
  }

  free(row: number): void {
    this.#removeSlot(row);
    this.state[row] = 0;
    this.#free.push(row);
    this.#used -= 1;
  }

  #isKey(row: number, searchKey: Uint32Array): boolean {
    const key = this.key;
    const at = row * keyStride;
    for (let i = 0; i < keyWords; i++) if (key[at + i] !== searchKey[i]) return false;
    return true;
  }

  #insert(row: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = (this.hash[row]! << 1) & mask;
    while (slots[slot + 1]! >= 0) slot = (slot + 2) & mask;
    slots[slot] = this.hash[row]!;
    slots[slot + 1] = row;
  }

  /** Moves later entries into the gap, so that no search ends too early (Knuth, 6.4, algorithm R). */
  #removeSlot(row: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let gap = (this.hash[row]! << 1) & mask;
    while (slots[gap + 1] !== row) gap = (gap + 2) & mask;
    for (let slot = (gap + 2) & mask; slots[slot + 1]! >= 0; slot = (slot + 2) & mask) {
      const home = (slots[slot]! << 1) & mask;
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
      slots[gap] = slots[slot]!;
      slots[gap + 1] = slots[slot + 1]!;
      gap = slot;
    }
    slots[gap + 1] = -1;
  }

  #newRow(maxRows: number): number {
    if (this.#rowsEnd === this.capacity) this.#grow(maxRows);
    return this.#rowsEnd++;
  }

  #resizeSlots(length: number): void {
    this.#slots = new Int32Array(length).fill(-1);
    for (let row = 0; row < this.#rowsEnd; row++) if (this.state[row] !== 0) this.#insert(row);
  }

  /** The second step is large: memory without written rows costs nothing, but copying does. */
  #grow(maxRows: number): void {
    const before = this.capacity;
    const targetCapacity = before === 0 ? initialRows : Math.max(firstGrowthRows, before * 2);
    const capacity = Math.min(targetCapacity, Math.max(maxRows, 1));
    this.capacity = capacity;
    this.key = grown(this.key, new Uint32Array(capacity * keyStride));
    this.hash = grown(this.hash, new Int32Array(capacity));
    this.state = grown(this.state, new Uint32Array(capacity));
    this.beganUs = grown(this.beganUs, new Float64Array(capacity));
    this.firstUs = grown(this.firstUs, new Float64Array(capacity));
    this.lastUs = grown(this.lastUs, new Float64Array(capacity));
    this.reportedUs = grown(this.reportedUs, new Float64Array(capacity));
    this.packetsFromLow = grown(this.packetsFromLow, new Float64Array(capacity));
    this.packetsFromHigh = grown(this.packetsFromHigh, new Float64Array(capacity));
    this.frames = grown(this.frames, new Float64Array(capacity));
    this.bytesFromLow = grown(this.bytesFromLow, new Float64Array(capacity));
    this.bytesFromHigh = grown(this.bytesFromHigh, new Float64Array(capacity));
    this.flagsFromLow = grown(this.flagsFromLow, new Uint8Array(capacity));
    this.flagsFromHigh = grown(this.flagsFromHigh, new Uint8Array(capacity));
    this.closed = grown(this.closed, new Uint8Array(capacity));
    this.isnLow = grown(this.isnLow, new Uint32Array(capacity));
    this.isnHigh = grown(this.isnHigh, new Uint32Array(capacity));
    this.synRetries = grown(this.synRetries, new Uint16Array(capacity));
    this.rttUs = grown(this.rttUs, new Uint32Array(capacity));
    this.earlier = grown(this.earlier, new Int32Array(capacity));
    this.later = grown(this.later, new Int32Array(capacity));
  }
}

function grown<Column extends { set(from: Column): void }>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}
