// From packets to connection records: one row for each connection at each interface. A row is reported when it is new,
// changed or ended, and otherwise at an interval (docs/join.md, "One connection").
import type { PacketAccounting } from '../../../accounting/accounting.ts';
import { TCP } from '../../../model/protocol.ts';
import { ACK, type ConnectionRecord, FIN, RST, SYN } from '../../../model/record.ts';
import type { Packet } from '../decode/packet.ts';
import type { PodDirection } from '../source.ts';
import { bit, FlowColumns, keyStride, keyWords } from './flow-columns.ts';
import { responderByPort } from './initiator.ts';
import type { Interval } from './interval.ts';
import { hashOf } from './key-hash.ts';
import { recordOf } from './record.ts';

/** A random `seed` prevents senders from choosing packets whose keys collide in the hash table. */
export type FlowTableOptions = { maxConnections: number; reportEveryUs: number; seed?: number };

/** `not-at-pod`: seen at another interface than a pod's, or in a file. */
export type PacketDirection = PodDirection | 'not-at-pod';

const maxRoundTripUs = 3_600_000_000;
const idleTimeoutUs = { tcp: 300_000_000, other: 60_000_000 };
/** A closed connection is kept for its last packets: the last ACK, a retransmission. */
const lingerUs = 2_000_000;
/** A SYN repeated sooner than this is the same packet at a second interface: a retry waits 1 s (RFC 6298 2.1). */
const duplicateSynUs = 100_000;
/**
 * For this time after watching began, the first packet of a connection may be an answer. At an interface that existed
 * before, until every older connection has sent a packet or is idle. At a new interface, while packets for the
 * address's previous pod may still arrive.
 */
const uncertainUs = { before: idleTimeoutUs.other, 'while-watching': 1_000_000 };

export class FlowTable {
  readonly #options: FlowTableOptions;
  readonly #accounting: PacketAccounting;
  readonly #rows = new FlowColumns();
  readonly #searchKey = new Uint32Array(keyWords);
  /** By interface: from this time on, the first packet that is seen is the first of its connection. */
  readonly #certainFromUs = new Map<number, number>();
  #endedRecords: ConnectionRecord[] = [];
  readonly #seed: number;
  #sourceIsLow = true;

  constructor(options: FlowTableOptions, accounting: PacketAccounting) {
    this.#options = options;
    this.#accounting = accounting;
    this.#seed = options.seed ?? 0x9e3779b9;
  }

  get size(): number {
    return this.#rows.used;
  }

  /** `appeared`: whether the interface existed before it was watched, so that connections may have begun unseen. */
  watch(interfaceIndex: number, sinceUs: number, appeared: 'before' | 'while-watching'): void {
    this.#certainFromUs.set(interfaceIndex, sinceUs + uncertainUs[appeared]);
  }

  /** hot, once a packet: allocates nothing for a known connection; make bench-capture, budget replay-vs-nfpcapd */
  add(packet: Packet, interfaceIndex: number, direction: PacketDirection, timeUs: number): void {
    const hash = this.#key(packet, interfaceIndex);
    let row = this.#rows.find(this.#searchKey, hash);
    if (row < 0) {
      row = this.#rows.take(this.#searchKey, hash, this.#options.maxConnections);
      if (row < 0) {
        this.#accounting.lost('table-full', 1, packet.bytes);
        return;
      }
      this.#begin(row, packet, interfaceIndex, direction, timeUs);
    } else if (packet.protocol === TCP && packet.initiator === 'source') {
      this.#onRepeatedSyn(row, packet, interfaceIndex, direction, timeUs);
    }
    this.#countPacket(row, packet, timeUs);
  }

  /**
   * hot, once a row: adds the kernel's counters of one connection in one interval (capture/ebpf/layout.ts). All SYNs in
   * an interval have the same sequence number. make bench-capture, budget drain
   */
  addInterval(interval: Interval): void {
    const rows = this.#rows;
    const searchKey = this.#searchKey;
    interval.key(searchKey);
    const hash = hashOf(searchKey, this.#seed);
    let row = rows.find(searchKey, hash);
    if (row < 0) {
      row = rows.take(searchKey, hash, this.#options.maxConnections);
      if (row < 0) {
        this.#accounting.lost('table-full', interval.frames, interval.bytesFromLow + interval.bytesFromHigh);
        return;
      }
      this.#beginFromInterval(row, interval);
    } else if (interval.syns > 0) this.#onRepeatedSyns(row, interval);
    this.#countInterval(row, interval);
  }

  /** Ends every connection of the interface; the next drain reports them. */
  forget(interfaceIndex: number): void {
    this.#certainFromUs.delete(interfaceIndex);
    for (let row = 0; row < this.#rows.rowsEnd; row++) {
      if (this.#rows.state[row] === 0 || this.#rows.key[row * keyStride + 10] !== interfaceIndex) continue;
      this.#finish(row);
      this.#rows.free(row);
    }
  }

  /** Emits the records that are due, as CaptureSource.drain describes. */
  drain(nowUs: number, emit: (record: ConnectionRecord) => void): void {
    const rows = this.#rows;
    for (const record of this.#endedRecords) emit(record);
    this.#endedRecords = [];
    for (let row = 0; row < rows.rowsEnd; row++) {
      const state = rows.state[row]!;
      if (state === 0) continue;
      if (nowUs - rows.lastUs[row]! > this.#timeoutUs(row, state)) {
        const isEndReported = this.#isEndReported(row);
        rows.state[row] = state | bit.ended;
        if (!isEndReported) emit(this.#record(row));
        rows.free(row);
      } else if ((state & bit.changed) !== 0 || this.#isDue(row, nowUs)) {
        emit(this.#record(row));
        rows.reportedUs[row] = nowUs;
      }
    }
  }

  /** Emits all that is not reported yet and removes all rows, at the end of a file. */
  finish(emit: (record: ConnectionRecord) => void): void {
    for (let row = 0; row < this.#rows.rowsEnd; row++) {
      if (this.#rows.state[row] === 0) continue;
      if ((this.#rows.state[row]! & bit.changed) !== 0 || this.#hasCounts(row))
        this.#endedRecords.push(this.#record(row));
      this.#rows.free(row);
    }
    for (const record of this.#endedRecords) emit(record);
    this.#endedRecords = [];
  }

  #timeoutUs(row: number, state: number): number {
    if ((state & bit.ended) !== 0) return lingerUs;
    return this.#rows.key[row * keyStride + 9] === TCP ? idleTimeoutUs.tcp : idleTimeoutUs.other;
  }

  #isDue(row: number, nowUs: number): boolean {
    return nowUs - this.#rows.reportedUs[row]! >= this.#options.reportEveryUs && this.#hasCounts(row);
  }

  /** Its end was reported, and no packet came after that. */
  #isEndReported(row: number): boolean {
    return (this.#rows.state[row]! & (bit.ended | bit.changed)) === bit.ended && !this.#hasCounts(row);
  }

  #hasCounts(row: number): boolean {
    return !this.#rows.isEmpty(row);
  }

  /** Writes the key into `#searchKey`: the lower end first, so that both directions have the same key. */
  #key(packet: Packet, interfaceIndex: number): number {
    const { source, destination, sourcePort, destinationPort } = packet;
    let order = 0;
    for (let i = 0; i < 4 && order === 0; i++) order = source[i]! - destination[i]!;
    if (order === 0) order = sourcePort - destinationPort;
    const sourceIsLow = order <= 0;
    this.#sourceIsLow = sourceIsLow;
    const low = sourceIsLow ? source : destination;
    const high = sourceIsLow ? destination : source;
    const searchKey = this.#searchKey;
    for (let i = 0; i < 4; i++) {
      searchKey[i] = low[i]!;
      searchKey[i + 4] = high[i]!;
    }
    searchKey[8] = sourceIsLow ? (sourcePort << 16) | destinationPort : (destinationPort << 16) | sourcePort;
    searchKey[9] = packet.protocol;
    searchKey[10] = interfaceIndex;
    return hashOf(searchKey, this.#seed);
  }

  /** A SYN on ports that are in use: a repeated SYN, or the beginning of a new connection. */
  #onRepeatedSyn(
    row: number,
    packet: Packet,
    interfaceIndex: number,
    direction: PacketDirection,
    timeUs: number,
  ): void {
    const rows = this.#rows;
    const state = rows.state[row]!;
    const sinceLastUs = timeUs - rows.lastUs[row]!;
    const isSame = (state & bit.hasIsn) !== 0 && this.#isFromInitiator(state) && rows.isn[row] === packet.sequence;
    if (isSame && (state & bit.synSeen) !== 0) {
      if (sinceLastUs < duplicateSynUs && (state & bit.atHost) !== 0) return;
      if ((state & bit.ended) === 0) {
        rows.synRetries[row]! += 1;
        rows.state[row] = state | bit.changed | bit.retried;
        return;
      }
    } else if (isSame || this.#isEarlier(row, state, timeUs)) {
      this.#adoptSyn(row, packet, timeUs);
      return;
    }
    this.#finish(row);
    rows.reset(row);
    this.#begin(row, packet, interfaceIndex, direction, timeUs);
  }

  /** It is older than all other packets of the connection: files are not always in order. */
  #isEarlier(row: number, state: number, timeUs: number): boolean {
    return (state & (bit.hasIsn | bit.synSeen | bit.reported)) === 0 && timeUs <= this.#rows.beganUs[row]!;
  }

  /** The SYN of a connection whose later packets were read first. */
  #adoptSyn(row: number, packet: Packet, timeUs: number): void {
    const rows = this.#rows;
    let state = rows.state[row]! & ~bit.initiatorIsLow;
    if (this.#sourceIsLow) state |= bit.initiatorIsLow;
    rows.state[row] = state | bit.initiatorCertain | bit.hasIsn | bit.synSeen | bit.changed;
    rows.isn[row] = packet.sequence;
    const { beganUs } = rows;
    if ((state & bit.hasIsn) !== 0 && beganUs[row]! > timeUs) rows.rttUs[row] = roundTrip(beganUs[row]! - timeUs);
  }

  #isFromInitiator(state: number): boolean {
    return ((state & bit.initiatorIsLow) !== 0) === this.#sourceIsLow;
  }

  #begin(row: number, packet: Packet, interfaceIndex: number, direction: PacketDirection, timeUs: number): void {
    const rows = this.#rows;
    rows.beganUs[row] = timeUs;
    rows.firstUs[row] = timeUs;
    rows.lastUs[row] = timeUs;
    rows.reportedUs[row] = timeUs;
    let state: number = bit.used | bit.changed;
    if (direction === 'not-at-pod') state |= bit.atHost;
    else if ((direction === 'from-pod') === this.#sourceIsLow) state |= bit.podIsLow;
    const certain =
      packet.initiator !== 'unknown' ||
      (packet.protocol !== TCP &&
        !packet.quoted &&
        this.#isCertain(direction === 'not-at-pod' ? fileInterfaceIndex : interfaceIndex, timeUs));
    if (this.#isInitiator(packet, certain) === this.#sourceIsLow) state |= bit.initiatorIsLow;
    if (certain) state |= bit.initiatorCertain;
    if (packet.protocol === TCP && packet.initiator !== 'unknown') {
      state |= packet.initiator === 'source' ? bit.hasIsn | bit.synSeen : bit.hasIsn;
      rows.isn[row] = packet.initiator === 'source' ? packet.sequence : packet.acknowledged - 1;
    }
    rows.state[row] = state;
  }

  #isCertain(interfaceIndex: number, timeUs: number): boolean {
    const fromUs = this.#certainFromUs.get(interfaceIndex);
    return fromUs !== undefined && timeUs >= fromUs;
  }

  /** Whether the packet's source is the initiator. */
  #isInitiator(packet: Packet, certain: boolean): boolean {
    if (packet.initiator !== 'unknown') return packet.initiator === 'source';
    if (packet.quoted) return false;
    if (certain) return true;
    return responderByPort(packet.sourcePort, packet.destinationPort) !== 'source';
  }

  /** Every column read is one more cache line, so a packet in order reads as few columns as possible. */
  #countPacket(row: number, packet: Packet, timeUs: number): void {
    const rows = this.#rows;
    let state = rows.state[row]!;
    if (rows.frames[row] === 0) rows.firstUs[row] = timeUs;
    if (timeUs > rows.lastUs[row]!) rows.lastUs[row] = timeUs;
    else this.#countOutOfOrder(row, state, timeUs);
    const fromInitiator = this.#isFromInitiator(state);
    rows.frames[row]! += 1;
    if (this.#sourceIsLow) {
      rows.packetsFromLow[row]! += 1;
      rows.bytesFromLow[row]! += packet.bytes;
      rows.flagsFromLow[row]! |= packet.tcpFlags;
    } else {
      rows.packetsFromHigh[row]! += 1;
      rows.bytesFromHigh[row]! += packet.bytes;
      rows.flagsFromHigh[row]! |= packet.tcpFlags;
    }
    if (!fromInitiator && (state & bit.answered) === 0 && !packet.quoted) state |= bit.answered | bit.changed;
    if (packet.unreachable) state |= bit.unreachable | bit.changed;
    if (packet.protocol === TCP) state = this.#countPacketTcp(row, packet, state, fromInitiator, timeUs);
    rows.state[row] = state;
  }

  /** The packet is not later than the last one. */
  #countOutOfOrder(row: number, state: number, timeUs: number): void {
    const rows = this.#rows;
    if (timeUs < rows.firstUs[row]!) rows.firstUs[row] = timeUs;
    if (timeUs < rows.beganUs[row]! && (state & bit.reported) === 0) rows.beganUs[row] = timeUs;
  }

  #onRepeatedSyns(row: number, interval: Interval): void {
    const rows = this.#rows;
    const state = rows.state[row]!;
    const fromInitiator = ((state & bit.initiatorIsLow) !== 0) === interval.lowInitiated;
    const isSame = (state & bit.hasIsn) !== 0 && fromInitiator && rows.isn[row] === interval.isn;
    if (isSame && (state & (bit.synSeen | bit.ended)) === bit.synSeen) {
      rows.synRetries[row]! += interval.syns;
      rows.state[row] = state | bit.changed | bit.retried;
      return;
    }
    this.#finish(row);
    rows.reset(row);
    this.#beginFromInterval(row, interval);
  }

  #beginFromInterval(row: number, interval: Interval): void {
    const rows = this.#rows;
    const { firstUs, firstFromLow, protocol } = interval;
    rows.beganUs[row] = rows.firstUs[row] = rows.lastUs[row] = rows.reportedUs[row] = firstUs;
    let state: number = bit.used | bit.changed;
    if (interval.podIsLow) state |= bit.podIsLow;
    const initiatorSeen = interval.lowInitiated || interval.highInitiated;
    const certain =
      initiatorSeen || (protocol !== TCP && !interval.firstQuoted && this.#isCertain(interval.interfaceIndex, firstUs));
    if (certain) state |= bit.initiatorCertain;
    if (this.#lowIsInitiator(interval, initiatorSeen, certain, firstFromLow)) state |= bit.initiatorIsLow;
    if (protocol === TCP && initiatorSeen) {
      state |= interval.syns > 0 ? bit.hasIsn | bit.synSeen : bit.hasIsn;
      rows.isn[row] = interval.isn;
    }
    if (interval.syns > 1) {
      rows.synRetries[row] = interval.syns - 1;
      state |= bit.retried;
    }
    rows.state[row] = state;
  }

  #lowIsInitiator(interval: Interval, initiatorSeen: boolean, certain: boolean, firstFromLow: boolean): boolean {
    if (initiatorSeen) return interval.lowInitiated;
    if (interval.firstQuoted) return !firstFromLow;
    if (certain) return firstFromLow;
    const { lowPort, highPort } = interval;
    const responder = firstFromLow ? responderByPort(lowPort, highPort) : responderByPort(highPort, lowPort);
    return (responder !== 'source') === firstFromLow;
  }

  #countInterval(row: number, interval: Interval): void {
    const rows = this.#rows;
    let state = rows.state[row]!;
    const { firstUs, lastUs } = interval;
    if (this.#rows.isEmpty(row) || firstUs < rows.firstUs[row]!) rows.firstUs[row] = firstUs;
    if (lastUs > rows.lastUs[row]!) rows.lastUs[row] = lastUs;
    rows.frames[row]! += interval.frames;
    rows.packetsFromLow[row]! += interval.packetsFromLow;
    rows.packetsFromHigh[row]! += interval.packetsFromHigh;
    rows.bytesFromLow[row]! += interval.bytesFromLow;
    rows.bytesFromHigh[row]! += interval.bytesFromHigh;
    rows.flagsFromLow[row]! |= interval.flagsFromLow;
    rows.flagsFromHigh[row]! |= interval.flagsFromHigh;
    const responderSent = (state & bit.initiatorIsLow) !== 0 ? interval.highSent : interval.lowSent;
    if (responderSent && (state & bit.answered) === 0) state |= bit.answered | bit.changed;
    if (interval.unreachable) state |= bit.unreachable | bit.changed;
    if (interval.deliveryUnproven) state |= bit.deliveryUnproven;
    if (interval.protocol === TCP) state = this.#countIntervalTcp(row, interval, state);
    rows.state[row] = state;
  }

  #countIntervalTcp(row: number, interval: Interval, before: number): number {
    const rows = this.#rows;
    let state = before;
    if (interval.synackUs > 0 && rows.rttUs[row] === 0) {
      if ((state & (bit.synSeen | bit.retried)) === bit.synSeen) {
        rows.rttUs[row] = roundTrip(interval.synackUs - rows.beganUs[row]!);
      }
      state |= bit.changed;
    }
    if ((interval.flagsFromLow & FIN) !== 0) rows.closed[row]! |= 1;
    if ((interval.flagsFromHigh & FIN) !== 0) rows.closed[row]! |= 2;
    const hasEnded = ((interval.flagsFromLow | interval.flagsFromHigh) & RST) !== 0 || rows.closed[row] === 3;
    return hasEnded && (state & bit.ended) === 0 ? state | bit.ended | bit.changed : state;
  }

  #countPacketTcp(row: number, packet: Packet, before: number, fromInitiator: boolean, timeUs: number): number {
    const rows = this.#rows;
    const flags = packet.tcpFlags;
    let state = before;
    if ((flags & (SYN | ACK)) === (SYN | ACK) && !fromInitiator && rows.rttUs[row] === 0) {
      // If the SYN was repeated, it is not known which one is answered (Karn's algorithm).
      if ((state & (bit.synSeen | bit.retried)) === bit.synSeen)
        rows.rttUs[row] = roundTrip(timeUs - rows.beganUs[row]!);
      state |= bit.changed;
    }
    if ((flags & (FIN | RST)) === 0) return state;
    if ((flags & FIN) !== 0) rows.closed[row]! |= this.#sourceIsLow ? 1 : 2;
    const hasEnded = (flags & RST) !== 0 || rows.closed[row] === 3;
    if (hasEnded && (state & bit.ended) === 0) state |= bit.ended | bit.changed;
    return state;
  }

  /** Keeps the last record for the next drain, at most `maxConnections` of them. */
  #finish(row: number): void {
    if (this.#isEndReported(row)) return;
    this.#rows.state[row]! |= bit.ended;
    const record = this.#record(row);
    if (this.#endedRecords.length < this.#options.maxConnections) this.#endedRecords.push(record);
    else this.#accounting.lost('table-full', record.frames, record.bytes.forward + record.bytes.reverse);
  }

  /** The record of this interval; resets its counters. */
  #record(row: number): ConnectionRecord {
    const rows = this.#rows;
    const record = recordOf(rows, row);
    rows.clearInterval(row);
    rows.state[row] = (rows.state[row]! & ~(bit.changed | bit.unreachable | bit.deliveryUnproven)) | bit.reported;
    return record;
  }
}

/** At least 1, because 0 means unknown. */
function roundTrip(us: number): number {
  return Math.min(Math.max(1, us), maxRoundTripUs);
}

/** The interface of packets from a file that names none: no link has index 0. */
export const fileInterfaceIndex = 0;
