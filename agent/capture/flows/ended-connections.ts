// Established TCP connections that seemed to end a short time ago. Anybody on the path can send a reset or FIN that the ends
// ignore: packets that follow without another handshake belong to the same connection.
import { bit, type FlowColumns, keyStride, keyWords } from './flow-columns.ts';
import type { Replaced } from './handshakes.ts';

/** A power of two. Each connection has one slot; a later one with the same slot replaces it. 6 MB. */
const slots = 65_536;

export class EndedConnections {
  readonly #rows: FlowColumns;
  readonly #keepUs: number;
  readonly #hash = new Int32Array(slots);
  readonly #key = new Uint32Array(slots * keyWords);
  /** 0: the slot is empty. */
  readonly #state = new Uint32Array(slots);
  readonly #lastUs = new Float64Array(slots);
  readonly #beganUs = new Float64Array(slots);
  readonly #isnLow = new Uint32Array(slots);
  readonly #isnHigh = new Uint32Array(slots);
  readonly #rttUs = new Uint32Array(slots);
  readonly #closed = new Uint8Array(slots);

  /** Keeps them for `keepUs` after their last packet. */
  constructor(rows: FlowColumns, keepUs: number) {
    this.#rows = rows;
    this.#keepUs = keepUs;
  }

  /** Call before the row is freed. `connection`: of the row, or the one that the row replaced. */
  add(row: number, connection: Replaced): void {
    const rows = this.#rows;
    const hash = rows.hash[row]!;
    const slot = hash & (slots - 1);
    this.#hash[slot] = hash;
    const at = row * keyStride;
    for (let i = 0; i < keyWords; i++) this.#key[slot * keyWords + i] = rows.key[at + i]!;
    this.#state[slot] = connection.state;
    this.#lastUs[slot] = rows.lastUs[row]!;
    this.#beganUs[slot] = connection.beganUs;
    this.#isnLow[slot] = connection.isnLow;
    this.#isnHigh[slot] = connection.isnHigh;
    this.#rttUs[slot] = connection.rttUs;
    this.#closed[slot] = connection.closed;
  }

  /** Removes and returns the connection with the key of the row. */
  take(row: number, timeUs: number): Replaced | undefined {
    const hash = this.#rows.hash[row]!;
    const slot = hash & (slots - 1);
    if (this.#state[slot] === 0 || this.#hash[slot] !== hash || !this.#isKey(slot, row)) return undefined;
    const connection = {
      state: this.#state[slot]!,
      beganUs: this.#beganUs[slot]!,
      isnLow: this.#isnLow[slot]!,
      isnHigh: this.#isnHigh[slot]!,
      closed: this.#closed[slot]!,
      rttUs: this.#rttUs[slot]!,
    };
    this.#state[slot] = 0;
    return timeUs - this.#lastUs[slot]! <= this.#keepUs ? connection : undefined;
  }

  /** Forgets the connections of the interface. */
  forget(interfaceIndex: number): void {
    for (let slot = 0; slot < slots; slot++)
      if (this.#state[slot] !== 0 && this.#key[slot * keyWords + 10] === interfaceIndex) this.#state[slot] = 0;
  }

  #isKey(slot: number, row: number): boolean {
    const key = this.#rows.key;
    for (let i = 0; i < keyWords; i++) if (this.#key[slot * keyWords + i] !== key[row * keyStride + i]) return false;
    return true;
  }
}

/** Whether a connection with that state was established and seems to be over. */
export function seemsOver(state: number): boolean {
  return (state & (bit.confirmed | bit.ended)) === (bit.confirmed | bit.ended);
}
