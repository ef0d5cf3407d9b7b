// From packets to connection records: one row for each connection at each interface. A row is reported when it is new,
// changed or ended, and otherwise at an interval (docs/join.md, "One connection").
import type { PacketAccounting } from '../../../accounting/accounting.ts';
import { TCP } from '../../../model/protocol.ts';
import { ACK, type ConnectionRecord, FIN, RST, SYN } from '../../../model/record.ts';
import type { Packet } from '../decode/packet.ts';
import type { PodDirection } from '../source.ts';
import { ignoreUnrecorded, type UnrecordedSink } from '../unrecorded.ts';
import { EndedConnections, seemsOver } from './ended-connections.ts';
import { bit, FlowColumns, keyStride, keyWords, podIsLowInKey, protocolInKey } from './flow-columns.ts';
import { type Accepted, answerIn, Handshakes, type Replaced, type SynMeaning } from './handshakes.ts';
import { responderByPort } from './initiator.ts';
import type { Interval } from './interval.ts';
import { beginFromInterval, countInterval } from './interval-counting.ts';
import { hashOf } from './key-hash.ts';
import { newcomerOfInterval, newcomerOfPacket } from './newcomer.ts';
import { recordOf } from './record.ts';
import { roundTrip } from './round-trip.ts';
import { TableShares } from './table-shares.ts';
import { unrecordedOf } from './unrecorded-row.ts';

/** A random `seed` prevents senders from choosing packets whose keys collide in the hash table. */
export type FlowTableOptions = {
  maxConnections: number;
  reportEveryUs: number;
  seed?: number;
  /** Receives what finds no row. */
  unrecorded?: UnrecordedSink;
  /**
   * `file`: each connection gets one record that says that it ended, when no packet of it can follow. An evicted row is
   * reported, because nothing reads the packets again.
   */
  source?: 'live' | 'file';
};

/** `not-at-pod`: seen at another interface than a pod's, or in a file. */
export type PacketDirection = PodDirection | 'not-at-pod';

const idleTimeoutUs = { tcp: 300_000_000, other: 60_000_000 };
/** A closed connection is kept for its last packets: the last ACK, a retransmission. */
const lingerUs = 2_000_000;
/** In a file, an established one is kept until the last retransmission: Linux repeats a FIN for about 50 s. */
const lingerInFileUs = 60_000_000;
/**
 * For this time after watching began, the first packet of a connection may be an answer. At an interface that existed
 * before, until every older connection has sent a packet or is idle. At a new interface, while packets for the
 * address's previous pod may still arrive.
 */
const uncertainUs = { before: idleTimeoutUs.other, 'while-watching': 1_000_000 };

export class FlowTable {
  readonly #options: FlowTableOptions;
  readonly #accounting: PacketAccounting;
  readonly #isFile: boolean;
  readonly #rows = new FlowColumns();
  readonly #handshakes = new Handshakes(this.#rows);
  readonly #ended = new EndedConnections(this.#rows, idleTimeoutUs.tcp);
  readonly #shares: TableShares;
  readonly #unrecorded: UnrecordedSink;
  readonly #searchKey = new Uint32Array(keyWords);
  /** By interface: from this time on, the first packet that is seen is the first of its connection. */
  readonly #certainFromUs = new Map<number, number>();
  #endedRecords: ConnectionRecord[] = [];
  readonly #seed: number;
  #sourceIsLow = true;

  constructor(options: FlowTableOptions, accounting: PacketAccounting) {
    this.#options = options;
    this.#accounting = accounting;
    this.#isFile = options.source === 'file';
    this.#unrecorded = options.unrecorded ?? ignoreUnrecorded;
    this.#seed = options.seed ?? 0x9e3779b9;
    this.#shares = new TableShares(this.#rows, options.maxConnections, (row) => this.#evict(row));
  }

  get size(): number {
    return this.#rows.used;
  }

  /** `appeared`: whether the interface existed before it was watched, so that connections may have begun unseen. */
  watch(interfaceIndex: number, sinceUs: number, appeared: 'before' | 'while-watching'): void {
    this.#certainFromUs.set(interfaceIndex, sinceUs + uncertainUs[appeared]);
    this.#shares.watch(interfaceIndex);
  }

  /** hot, once a packet: allocates nothing for a known connection; make bench-capture, budget replay-vs-nfpcapd */
  add(packet: Packet, interfaceIndex: number, direction: PacketDirection, timeUs: number): void {
    const hash = this.#key(packet, interfaceIndex, direction);
    let row = this.#rows.find(this.#searchKey, hash);
    if (row < 0) {
      const isAdmitted = this.#shares.admits(interfaceIndex, newcomerOfPacket(packet));
      row = this.#rows.take(this.#searchKey, hash, this.#shares.maxRows + 1);
      this.#shares.enter(row);
      this.#begin(row, packet, interfaceIndex, direction, timeUs);
      if (packet.protocol === TCP && !packet.quoted) this.#resume(row, packet.initiator, timeUs);
      if (!isAdmitted) {
        this.#countPacket(row, packet, timeUs);
        this.#lose(row);
        this.#free(row);
        return;
      }
    } else if (
      packet.initiator !== 'unknown' ||
      (packet.tcpFlags & RST) !== 0 ||
      (this.#rows.state[row]! & bit.contested) !== 0
    ) {
      if (packet.protocol === TCP && !packet.quoted) this.#onHandshake(row, packet, interfaceIndex, direction, timeUs);
    }
    this.#countPacket(row, packet, timeUs);
  }

  /**
   * hot, once a row: adds the kernel's counters of one connection in one interval (capture/ebpf/layout.ts).
   * make bench-capture, budget drain
   */
  addInterval(interval: Interval): void {
    const rows = this.#rows;
    const searchKey = this.#searchKey;
    interval.key(searchKey);
    const hash = hashOf(searchKey, this.#seed);
    let row = rows.find(searchKey, hash);
    const isAdmitted = row >= 0 || this.#shares.admits(interval.interfaceIndex, newcomerOfInterval(interval));
    if (row < 0) {
      row = rows.take(searchKey, hash, this.#shares.maxRows + 1);
      this.#shares.enter(row);
      this.#beginFromInterval(row, interval);
      if (interval.protocol === TCP && !interval.firstQuoted) this.#resumeInterval(row, interval);
    } else if (interval.protocol === TCP) this.#onHandshakeInterval(row, interval);
    if (interval.lowSentSynAck) this.#addSynAckInterval(row, true, interval);
    if (interval.highSentSynAck) this.#addSynAckInterval(row, false, interval);
    if (((interval.flagsFromLow | interval.flagsFromHigh) & RST) !== 0) this.#addResets(row, interval);
    this.#countInterval(row, interval);
    if (!isAdmitted) this.#evict(row);
  }

  /** Ends every connection of the interface; the next drain reports them. */
  forget(interfaceIndex: number): void {
    this.#certainFromUs.delete(interfaceIndex);
    for (let row = 0; row < this.#rows.rowsEnd; row++) {
      if (this.#rows.state[row] === 0 || this.#rows.key[row * keyStride + 10] !== interfaceIndex) continue;
      this.#finish(row);
      this.#free(row);
    }
    this.#shares.forget(interfaceIndex);
    this.#ended.forget(interfaceIndex);
  }

  /** Emits the records that are due, as CaptureSource.drain describes. */
  drain(nowUs: number, emit: (record: ConnectionRecord) => void): void {
    const rows = this.#rows;
    if (this.#unrecorded.hasGap) this.#unrecorded.observeTable(this.#shares.holdings());
    for (const record of this.#endedRecords) emit(record);
    this.#endedRecords = [];
    for (let row = 0; row < rows.rowsEnd; row++) {
      const state = rows.state[row]!;
      if (state === 0) continue;
      if (nowUs - rows.lastUs[row]! > this.#timeoutUs(row, state)) {
        const isEndReported = this.#isEndReported(row);
        rows.state[row] = state | bit.ended;
        if (!isEndReported) emit(this.#record(row));
        this.#free(row);
      } else if (this.#isFile && (state & bit.ended) !== 0) {
        // Late packets may follow.
      } else if ((state & bit.changed) !== 0 || this.#isDue(row, nowUs)) {
        emit(this.#record(row));
        rows.reportedUs[row] = nowUs;
      }
    }
    this.#shares.beginInterval();
  }

  /** Of a file: emits and removes the connections that are kept for late packets only. */
  releaseEnded(emit: (record: ConnectionRecord) => void): void {
    for (let row = 0; row < this.#rows.rowsEnd; row++) {
      const state = this.#rows.state[row]!;
      if (state === 0 || (state & bit.ended) === 0) continue;
      if (!this.#isEndReported(row)) emit(this.#record(row));
      this.#free(row);
    }
  }

  /** Emits all that is not reported yet and removes all rows, at the end of a file. */
  finish(emit: (record: ConnectionRecord) => void): void {
    for (let row = 0; row < this.#rows.rowsEnd; row++) {
      if (this.#rows.state[row] === 0) continue;
      if ((this.#rows.state[row]! & bit.changed) !== 0 || this.#hasCounts(row))
        this.#endedRecords.push(this.#record(row));
      this.#free(row);
    }
    for (const record of this.#endedRecords) emit(record);
    this.#endedRecords = [];
  }

  #timeoutUs(row: number, state: number): number {
    if ((state & bit.ended) !== 0) return this.#isFile && (state & bit.confirmed) !== 0 ? lingerInFileUs : lingerUs;
    const protocol = this.#rows.key[row * keyStride + 9]! & protocolInKey;
    return protocol === TCP ? idleTimeoutUs.tcp : idleTimeoutUs.other;
  }

  #free(row: number): void {
    const state = this.#rows.state[row]!;
    if (seemsOver(state) || (state & bit.contested) !== 0) {
      const lasting = this.#handshakes.lasting(row);
      if (seemsOver(lasting.state)) this.#ended.add(row, lasting);
      this.#handshakes.forget(row);
    }
    this.#shares.leave(row);
    this.#rows.free(row);
  }

  /** Frees the row. Live, its packets that are in no record yet are lost. */
  #evict(row: number): void {
    if (this.#isFile) this.#finish(row);
    else this.#lose(row);
    this.#free(row);
  }

  #lose(row: number): void {
    const rows = this.#rows;
    const packets = rows.frames[row]!;
    if (packets === 0) return;
    const bytes = rows.bytesFromLow[row]! + rows.bytesFromHigh[row]!;
    this.#accounting.lost('table-full', packets, bytes);
    const lost = { packets, bytes, firstUs: rows.firstUs[row]!, lastUs: rows.lastUs[row]! };
    this.#unrecorded.add(rows.key[row * keyStride + 10]!, 'table-full', unrecordedOf(rows, row), lost);
  }

  /** An answered connection counts as such when the initiator has acknowledged the answer, if its protocol does. */
  #confirm(row: number, state: number): void {
    const protocol = this.#rows.key[row * keyStride + 9]! & protocolInKey;
    if (protocol === TCP && (state & bit.initiatorAcked) === 0) return;
    this.#shares.confirm(row);
    this.#rows.state[row] = state | bit.confirmed;
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
  #key(packet: Packet, interfaceIndex: number, direction: PacketDirection): number {
    const { source, destination, sourcePort, destinationPort } = packet;
    let order = 0;
    for (let i = 0; i < 4 && order === 0; i++) order = source[i]! - destination[i]!;
    const hasTwoAddresses = order !== 0;
    if (!hasTwoAddresses) order = sourcePort - destinationPort;
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
    if (hasTwoAddresses && direction !== 'not-at-pod' && (direction === 'from-pod') === sourceIsLow) {
      searchKey[9] = packet.protocol | podIsLowInKey;
    }
    searchKey[10] = interfaceIndex;
    return hashOf(searchKey, this.#seed);
  }

  /** A SYN or SYN-ACK on ports that are in use, or a packet that decides whether such a SYN began a connection. */
  #onHandshake(row: number, packet: Packet, interfaceIndex: number, direction: PacketDirection, timeUs: number): void {
    const handshakes = this.#handshakes;
    const fromLow = this.#sourceIsLow;
    const { sequence, acknowledged, tcpFlags } = packet;
    if (packet.initiator === 'source') {
      if (this.#addSyn(row, fromLow, sequence, timeUs) !== 'new') return;
      const replaced = this.#replace(row, timeUs);
      this.#begin(row, packet, interfaceIndex, direction, timeUs);
      handshakes.contestBy(row, replaced);
      return;
    }
    if (handshakes.isSynAckRefused(row, fromLow, tcpFlags)) this.#turn(row, timeUs);
    const answer = handshakes.meaningOfAnswer(row, fromLow, tcpFlags, acknowledged);
    if (answer === 'new') handshakes.accept(row);
    else if (answer === 'before') this.#restore(row);
    if (packet.initiator !== 'destination') return;
    const accepted = handshakes.addSynAck(row, fromLow, sequence, (acknowledged - 1) >>> 0);
    if (accepted === undefined) return;
    this.#replace(row, timeUs);
    this.#begin(row, packet, interfaceIndex, direction, timeUs);
    this.#accept(row, accepted);
  }

  /** Both ends' numbers are in the SYN-ACK, with which the row began. */
  #accept(row: number, { initiatorIsLow, beganUs, bothSentSyn }: Accepted): void {
    const rows = this.#rows;
    const state = rows.state[row]! | bit.initiatorCertain | (bothSentSyn ? bit.bothSentSyn : 0);
    rows.state[row] = initiatorIsLow ? state | bit.initiatorIsLow : state & ~bit.initiatorIsLow;
    rows.beganUs[row] = Math.min(beganUs, rows.firstUs[row]!);
  }

  /** Adds the SYN to the connection of the row, unless it is new. */
  #addSyn(row: number, fromLow: boolean, isn: number, timeUs: number, syns = 1): SynMeaning {
    const rows = this.#rows;
    const meaning = this.#handshakes.meaningOfSyn(row, fromLow, isn, timeUs, idleTimeoutUs.tcp);
    const isFromInitiator = ((rows.state[row]! & bit.initiatorIsLow) !== 0) === fromLow;
    if (meaning === 'late') this.#adoptSyn(row, fromLow, isn, timeUs);
    else if (meaning === 'retry') {
      rows.synRetries[row]! += syns;
      rows.state[row]! |= bit.changed | bit.retried;
    } else if (meaning === 'part' && !isFromInitiator) {
      this.#handshakes.addSynOfResponder(row, fromLow, isn, timeUs);
    }
    return meaning;
  }

  /** The SYN of a connection whose later packets were seen first. */
  #adoptSyn(row: number, fromLow: boolean, isn: number, timeUs: number): void {
    const rows = this.#rows;
    const before = rows.state[row]!;
    const hadIsn = (before & (bit.hasIsnLow | bit.hasIsnHigh)) !== 0;
    const state = fromLow
      ? before | bit.initiatorIsLow | bit.hasIsnLow
      : (before & ~bit.initiatorIsLow) | bit.hasIsnHigh;
    rows.state[row] = state | bit.initiatorCertain | bit.synSeen | bit.changed;
    (fromLow ? rows.isnLow : rows.isnHigh)[row] = isn;
    if (hadIsn && rows.beganUs[row]! > timeUs) rows.rttUs[row] = roundTrip(rows.beganUs[row]! - timeUs);
  }

  /** Ends the connection of the row, and returns what is needed to restore it. */
  #replace(row: number, timeUs: number): Replaced | undefined {
    const replaced = this.#handshakes.replace(row, timeUs, idleTimeoutUs.tcp);
    this.#finish(row);
    this.#rows.reset(row);
    this.#shares.enterAgain(row);
    return replaced;
  }

  /** The sender of a SYN-ACK that nobody asked for is the initiator, and its number answers no SYN. */
  #turn(row: number, timeUs: number): void {
    const rows = this.#rows;
    const before = rows.state[row]!;
    if ((before & bit.reported) !== 0) {
      this.#replace(row, timeUs);
      rows.beganUs[row] = rows.firstUs[row] = rows.lastUs[row] = rows.reportedUs[row] = timeUs;
    }
    const kept = before & (bit.used | bit.initiatorIsLow | bit.podIsLow | bit.atHost);
    rows.state[row] = (kept ^ bit.initiatorIsLow) | bit.changed;
    rows.rttUs[row] = 0;
  }

  /** The SYN began no connection: its packets are part of the one before, unless they are reported. */
  #restore(row: number): void {
    if ((this.#rows.state[row]! & bit.reported) !== 0) this.#finish(row);
    this.#handshakes.restore(row);
    if ((this.#rows.state[row]! & bit.confirmed) !== 0) this.#shares.confirm(row);
  }

  /**
   * The row began on the ports of a connection that seemed to be over. Without a SYN it is that connection. After a SYN, the
   * answer decides. A SYN-ACK alone begins nothing if SYNs are visible at the interface.
   */
  #resume(row: number, begunBy: Packet['initiator'], timeUs: number): void {
    const former = this.#ended.take(row, timeUs);
    if (former === undefined) return;
    if (begunBy === 'source') this.#handshakes.contestBy(row, former);
    else if (begunBy === 'unknown' || (former.state & bit.synSeen) !== 0) {
      this.#handshakes.resume(row, former);
      this.#shares.confirm(row);
    }
  }

  #resumeInterval(row: number, interval: Interval): void {
    const begunBy =
      interval.syns > 0 ? 'source' : interval.lowInitiated || interval.highInitiated ? 'destination' : 'unknown';
    this.#resume(row, begunBy, interval.firstUs);
    if ((this.#rows.state[row]! & bit.contested) !== 0) this.#decideContest(row, interval);
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
    if (this.#sourceIsLow) state |= bit.firstIsFromLow;
    const isFirst =
      packet.protocol !== TCP &&
      !packet.quoted &&
      this.#isCertain(direction === 'not-at-pod' ? fileInterfaceIndex : interfaceIndex, timeUs);
    if (this.#isInitiator(packet, isFirst) === this.#sourceIsLow) state |= bit.initiatorIsLow;
    if (isFirst || packet.initiator !== 'unknown') state |= bit.initiatorCertain;
    if (packet.protocol === TCP && packet.initiator !== 'unknown') {
      const [ofSource, ofDestination] = this.#sourceIsLow ? [rows.isnLow, rows.isnHigh] : [rows.isnHigh, rows.isnLow];
      ofSource[row] = packet.sequence;
      state |= this.#sourceIsLow ? bit.hasIsnLow : bit.hasIsnHigh;
      if (packet.initiator === 'source') state |= bit.synSeen;
      else {
        ofDestination[row] = packet.acknowledged - 1;
        state |= bit.hasIsnLow | bit.hasIsnHigh;
      }
    }
    rows.state[row] = state;
  }

  #isCertain(interfaceIndex: number, timeUs: number): boolean {
    const fromUs = this.#certainFromUs.get(interfaceIndex);
    return fromUs !== undefined && timeUs >= fromUs;
  }

  /** Whether the packet's source is the initiator. */
  #isInitiator(packet: Packet, isFirst: boolean): boolean {
    // Whoever is first began it, also with what looks like a reply.
    if (isFirst) return true;
    if (packet.initiator !== 'unknown') return packet.initiator === 'source';
    if (packet.quoted) return false;
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
    rows.frames[row]! += packet.frames;
    if (this.#sourceIsLow) {
      rows.packetsFromLow[row]! += packet.frames;
      rows.bytesFromLow[row]! += packet.bytes;
      rows.flagsFromLow[row]! |= packet.tcpFlags;
    } else {
      rows.packetsFromHigh[row]! += packet.frames;
      rows.bytesFromHigh[row]! += packet.bytes;
      rows.flagsFromHigh[row]! |= packet.tcpFlags;
    }
    if (!fromInitiator && (state & bit.answered) === 0 && !packet.quoted && packet.initiator !== 'source') {
      state |= bit.answered | bit.changed;
    }
    if (packet.unreachable) state |= bit.unreachable | bit.changed;
    if (packet.deliveryUnproven) state |= bit.deliveryUnproven;
    if (packet.protocol === TCP) state = this.#countPacketTcp(row, packet, state, fromInitiator, timeUs);
    rows.state[row] = state;
    if ((state & (bit.answered | bit.confirmed)) === bit.answered) this.#confirm(row, state);
  }

  /** The packet is not later than the last one. */
  #countOutOfOrder(row: number, state: number, timeUs: number): void {
    const rows = this.#rows;
    if (timeUs < rows.beganUs[row]! && (state & bit.reported) === 0) rows.beganUs[row] = timeUs;
    // Every record repeats the beginning that the first one states.
    if (timeUs < rows.firstUs[row]!) rows.firstUs[row] = Math.max(timeUs, rows.beganUs[row]!);
  }

  /** As `#onHandshake`, for an interval: its SYNs, unless they repeat a known one, came before its other packets. */
  #onHandshakeInterval(row: number, interval: Interval): void {
    if (interval.syns > 0) this.#addSynInterval(row, interval);
    if ((this.#rows.state[row]! & bit.contested) !== 0) this.#decideContest(row, interval);
  }

  #decideContest(row: number, interval: Interval): void {
    const answer = this.#handshakes.meaningOfInterval(row, interval);
    if (answer === 'new') this.#handshakes.accept(row);
    else if (answer === 'before') this.#restore(row);
  }

  #addSynInterval(row: number, interval: Interval): void {
    const { synsFromLow: fromLow, syns, firstUs } = interval;
    const isn = fromLow ? interval.isnLow : interval.isnHigh;
    if (this.#addSyn(row, fromLow, isn, firstUs, syns) !== 'new') return;
    if (answerIn(interval, !fromLow, isn) === 'before') {
      this.#handshakes.addIgnoredSyn(row, fromLow, isn, firstUs);
      return;
    }
    const replaced = this.#replace(row, firstUs);
    this.#beginFromInterval(row, interval);
    this.#handshakes.contestBy(row, replaced);
  }

  #addResets(row: number, { flagsFromLow, flagsFromHigh, firstUs }: Interval): void {
    const handshakes = this.#handshakes;
    const isRefused =
      handshakes.isSynAckRefused(row, true, flagsFromLow) || handshakes.isSynAckRefused(row, false, flagsFromHigh);
    if (isRefused) this.#turn(row, firstUs);
  }

  #addSynAckInterval(row: number, fromLow: boolean, interval: Interval): void {
    const { isnLow, isnHigh } = interval;
    const accepted = this.#handshakes.addSynAck(row, fromLow, fromLow ? isnLow : isnHigh, fromLow ? isnHigh : isnLow);
    if (accepted === undefined) return;
    this.#replace(row, interval.firstUs);
    this.#beginFromInterval(row, interval);
    this.#accept(row, accepted);
  }

  #beginFromInterval(row: number, interval: Interval): void {
    beginFromInterval(this.#rows, row, interval, this.#isCertain(interval.interfaceIndex, interval.firstUs));
  }

  #countInterval(row: number, interval: Interval): void {
    countInterval(this.#rows, row, interval);
    const state = this.#rows.state[row]!;
    if ((state & (bit.answered | bit.confirmed)) === bit.answered) this.#confirm(row, state);
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
    if (fromInitiator && (flags & (SYN | ACK)) === ACK) state |= bit.initiatorAcked;
    if ((flags & (FIN | RST)) === 0) return state;
    if ((flags & FIN) !== 0) rows.closed[row]! |= this.#sourceIsLow ? 1 : 2;
    const hasEnded = (flags & RST) !== 0 || rows.closed[row] === 3;
    if (hasEnded && (state & bit.ended) === 0) state |= bit.ended | bit.changed;
    return state;
  }

  /** Keeps the last record for the next drain, at most `maxConnections` of them and the shares. */
  #finish(row: number): void {
    if (this.#isEndReported(row)) return;
    const rows = this.#rows;
    rows.state[row]! |= bit.ended;
    if (this.#shares.admitsEnded(rows.key[row * keyStride + 10]!, this.#endedRecords.length)) {
      this.#endedRecords.push(this.#record(row));
    } else {
      this.#lose(row);
      rows.clearInterval(row);
    }
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

/** The interface of packets from a file that names none: no link has index 0. */
export const fileInterfaceIndex = 0;
