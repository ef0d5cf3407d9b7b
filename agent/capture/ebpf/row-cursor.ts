// Presents a row of the kernel's table as an Interval. One object moves from row to row.
import { keyWords, protocolInKey } from '../flows/flow-columns.ts';
import type { Interval } from '../flows/interval.ts';
import { mark, row } from './layout.ts';

/** Converts the kernel's times to µs since the epoch. */
export type RowClock = {
  timeOfNs(words: Uint32Array, at: number): number;
  timeOfTick(tick: number): number;
};

export class RowCursor implements Interval {
  readonly #clock: RowClock;
  #words: Uint32Array = new Uint32Array(row.words);
  #at = 0;
  #marks = 0;
  /** Of all rows that are read now. */
  filtersChanged = false;
  frames = 0;
  firstUs = 0;
  lastUs = 0;

  constructor(clock: RowClock) {
    this.#clock = clock;
  }

  /** `words` must not change while the interval is in use. */
  moveTo(words: Uint32Array, at: number): void {
    this.#words = words;
    this.#at = at;
    this.#marks = words[at + row.marks]!;
    this.frames = words[at + row.packets + 1]! + words[at + row.packets + 3]!;
    this.firstUs = this.#clock.timeOfNs(words, at + row.firstNs);
    let lastUs = this.firstUs;
    // A processor may have counted a packet without its time while another one reset the row.
    const [tickLow, tickHigh] = [words[at + row.lastFromLow]!, words[at + row.lastFromHigh]!];
    if (tickLow !== 0) lastUs = Math.max(lastUs, this.#clock.timeOfTick(tickLow));
    if (tickHigh !== 0) lastUs = Math.max(lastUs, this.#clock.timeOfTick(tickHigh));
    this.lastUs = lastUs;
  }

  key(into: Uint32Array): void {
    for (let i = 0; i < keyWords; i++) into[i] = this.#words[this.#at + i]!;
  }

  get interfaceIndex(): number {
    return this.#word(row.interfaceIndex);
  }
  get protocol(): number {
    return this.#word(row.protocol) & protocolInKey;
  }
  get lowPort(): number {
    return this.#word(row.ports) >>> 16;
  }
  get highPort(): number {
    return this.#word(row.ports) & 0xffff;
  }
  get packetsFromLow(): number {
    return this.#word(row.packets);
  }
  get packetsFromHigh(): number {
    return this.#word(row.packets + 2);
  }
  get bytesFromLow(): number {
    return this.#long(row.bytesFromLow);
  }
  get bytesFromHigh(): number {
    return this.#long(row.bytesFromHigh);
  }
  get flagsFromLow(): number {
    return this.#word(row.flags) & 0xff;
  }
  get flagsFromHigh(): number {
    return (this.#word(row.flags) >>> 8) & 0xff;
  }
  get syns(): number {
    return this.#word(row.flags) >>> 16;
  }
  get synsFromLow(): boolean {
    return !this.#has(mark.highSyn);
  }
  get lowSentSynAck(): boolean {
    return this.#has(mark.lowSynAck);
  }
  get highSentSynAck(): boolean {
    return this.#has(mark.highSynAck);
  }
  get hasIsnLow(): boolean {
    return this.#has(mark.lowIsn);
  }
  get hasIsnHigh(): boolean {
    return this.#has(mark.highIsn);
  }
  get isnLow(): number {
    return this.#word(row.isnLow);
  }
  get isnHigh(): number {
    return this.#word(row.isnHigh);
  }
  get synackUs(): number {
    const isAbsent = this.#word(row.synackNs) === 0 && this.#word(row.synackNs + 1) === 0;
    return isAbsent ? 0 : this.#clock.timeOfNs(this.#words, this.#at + row.synackNs);
  }
  get firstFromLow(): boolean {
    return !this.#has(mark.firstFromHigh);
  }
  get podIsLow(): boolean {
    return this.#has(mark.podIsLow);
  }
  get lowInitiated(): boolean {
    return this.#has(mark.lowInitiated);
  }
  get highInitiated(): boolean {
    return this.#has(mark.highInitiated);
  }
  get lowSent(): boolean {
    return this.#has(mark.lowSent);
  }
  get highSent(): boolean {
    return this.#has(mark.highSent);
  }
  get firstQuoted(): boolean {
    return this.#has(mark.firstQuoted);
  }
  get deliveryUnproven(): boolean {
    return this.filtersChanged || this.#has(mark.unproven);
  }
  get unreachable(): boolean {
    return this.#has(mark.unreachable);
  }

  #has(bit: number): boolean {
    return (this.#marks & bit) !== 0;
  }

  #word(offset: number): number {
    return this.#words[this.#at + offset]!;
  }

  #long(offset: number): number {
    return this.#words[this.#at + offset + 1]! * 2 ** 32 + this.#words[this.#at + offset]!;
  }
}
