// Decides which connection a SYN on known ports belongs to. The sender of a SYN chooses its time and its number, and may
// lie. So after a SYN the answer of the other end decides, and a SYN alone turns, merges or splits no connection.
import { ACK, PSH, RST, SYN, URG } from '../../../model/record.ts';
import { bit, type FlowColumns } from './flow-columns.ts';
import type { Interval } from './interval.ts';

/** A SYN repeated sooner than this is the same packet at a second interface: a retry waits 1 s (RFC 6298 2.1). */
const duplicateSynUs = 100_000;

/**
 * `new`: it begins a connection. `retry`: the initiator repeats its SYN. `late`: the SYN of this connection, whose later
 * packets were seen first. `part`: another packet of this connection.
 */
export type SynMeaning = 'new' | 'retry' | 'late' | 'part';

/** What an answer to a SYN shows: the end accepts or refuses a new connection, or it still has the one before. */
export type AnswerMeaning = 'new' | 'before';

/** The connection that a SYN replaced. */
export type Replaced = {
  state: number;
  beganUs: number;
  isnLow: number;
  isnHigh: number;
  closed: number;
  rttUs: number;
};

type Syn = { isn: number; timeUs: number };

/**
 * SYNs of each end that the other end has not answered. With `replaced`, the row has the connection that one of them
 * began; without, it has the one before.
 */
type Contest = { low: Syn | undefined; high: Syn | undefined; replaced: Replaced | undefined };

/** A connection that a SYN-ACK proves: the end that began it, when, and whether both ends sent a SYN. */
export type Accepted = { initiatorIsLow: boolean; beganUs: number; bothSentSyn: boolean };

export class Handshakes {
  readonly #rows: FlowColumns;
  readonly #contests = new Map<number, Contest>();

  constructor(rows: FlowColumns) {
    this.#rows = rows;
  }

  /** `idleTimeoutUs`: after this time without packets, every SYN is new. */
  meaningOfSyn(row: number, fromLow: boolean, isn: number, timeUs: number, idleTimeoutUs: number): SynMeaning {
    const rows = this.#rows;
    const state = rows.state[row]!;
    const sinceLastUs = timeUs - rows.lastUs[row]!;
    if (sinceLastUs > idleTimeoutUs || ((state & bit.ended) !== 0 && sinceLastUs >= 0)) return 'new';
    const initiatorIsLow = (state & bit.initiatorIsLow) !== 0;
    if (this.#hasIsn(row, fromLow) && this.#isn(row, fromLow) === isn) {
      if (initiatorIsLow !== fromLow) return 'part';
      if ((state & bit.synSeen) === 0) return 'late';
      if ((state & bit.atHost) !== 0 && sinceLastUs < duplicateSynUs) return 'part';
      // A TCP that has acknowledged an answer no longer repeats its SYN.
      return (state & bit.initiatorAcked) === 0 ? 'retry' : 'new';
    }
    if (this.#isEarliest(row, state, timeUs) || this.#hasNoFlags(row, state)) return 'late';
    return initiatorIsLow === fromLow || !this.#hasIsn(row, initiatorIsLow) ? 'new' : 'part';
  }

  /** The initiator may answer it in this handshake (RFC 9293 3.5), ignore it, or accept it as a new connection. */
  addSynOfResponder(row: number, fromLow: boolean, isn: number, timeUs: number): void {
    const rows = this.#rows;
    if (!this.#hasIsn(row, fromLow)) this.#setIsn(row, fromLow, isn);
    if ((rows.state[row]! & bit.answered) === 0) rows.state[row]! |= bit.bothSentSyn | bit.changed;
    // Who sends a SYN back has no other connection on these ports.
    if (this.#contests.get(row)?.replaced !== undefined) this.accept(row);
    this.#note(row, fromLow, { isn, timeUs });
  }

  /** A SYN-ACK with the number `isn` of its sender, which answers the SYN with the number `answeredIsn`. */
  addSynAck(row: number, fromLow: boolean, isn: number, answeredIsn: number): Accepted | undefined {
    const rows = this.#rows;
    const isSameNumber = this.#hasIsn(row, fromLow) && this.#isn(row, fromLow) === isn;
    const accepted = isSameNumber ? undefined : this.#acceptedBy(row, fromLow, isn, answeredIsn);
    if (accepted !== undefined) return accepted;
    const state = rows.state[row]!;
    const initiatorIsLow = (state & bit.initiatorIsLow) !== 0;
    if (!this.#hasIsn(row, initiatorIsLow)) return undefined;
    if (!this.#hasIsn(row, fromLow)) this.#setIsn(row, fromLow, isn);
    else if (isSameNumber && fromLow === initiatorIsLow && (state & bit.bothSentSyn) === 0) {
      rows.state[row] = state | bit.bothSentSyn | bit.changed;
    }
    return undefined;
  }

  /**
   * Whether the end that only a SYN-ACK made the initiator refuses it: it sent nothing before. The reset has no
   * acknowledgement (RFC 9293 3.5.2). `flags`: of this end's packets.
   */
  isSynAckRefused(row: number, fromLow: boolean, flags: number): boolean {
    const state = this.#rows.state[row]!;
    const initiatorIsLow = (state & bit.initiatorIsLow) !== 0;
    if (initiatorIsLow !== fromLow || !this.#hasIsn(row, fromLow)) return false;
    // Fragments may hide the flags of a SYN.
    if (((state & bit.firstIsFromLow) !== 0) === fromLow) return false;
    return (state & (bit.synSeen | bit.initiatorAcked)) === 0 && (flags & (RST | ACK | SYN)) === RST;
  }

  /**
   * What is needed to restore the connection of the row, which a SYN is about to replace. Undefined if it is certain that
   * it is over. Call `contestBy` when the row has the new connection.
   */
  replace(row: number, timeUs: number, idleTimeoutUs: number): Replaced | undefined {
    const rows = this.#rows;
    const contest = this.#contests.get(row);
    this.forget(row);
    // A connection that waits for its first answer passes on what it replaced.
    if (contest?.replaced !== undefined) return contest.replaced;
    if (timeUs - rows.lastUs[row]! > idleTimeoutUs || (rows.state[row]! & bit.answered) === 0) return undefined;
    return this.#connectionOf(row);
  }

  /** The connection that the row would go on with: its own, or the one that it replaced. */
  lasting(row: number): Replaced {
    return this.#contests.get(row)?.replaced ?? this.#connectionOf(row);
  }

  /** The row, which has just begun, goes on with a connection that seemed to be over. */
  resume(row: number, connection: Replaced): void {
    this.#contests.set(row, { low: undefined, high: undefined, replaced: connection });
    this.restore(row);
    this.#rows.state[row]! &= ~bit.ended;
    this.forget(row);
  }

  contestBy(row: number, replaced: Replaced | undefined): void {
    if (replaced === undefined) return;
    const fromLow = (this.#rows.state[row]! & bit.initiatorIsLow) !== 0;
    this.#note(row, fromLow, { isn: this.#isn(row, fromLow), timeUs: this.#rows.beganUs[row]! });
    this.#contests.get(row)!.replaced = replaced;
  }

  /** Undefined if the packet decides nothing: it is of the end that sent the SYN, or it acknowledges nothing. */
  meaningOfAnswer(row: number, fromLow: boolean, flags: number, acknowledged: number): AnswerMeaning | undefined {
    const syn = this.#synFor(row, fromLow);
    return syn && meaningOf(flags, acknowledged, syn.isn);
  }

  /** As `meaningOfAnswer`, for all packets of an interval. */
  meaningOfInterval(row: number, interval: Interval): AnswerMeaning | undefined {
    const answeringIsLow = (this.#rows.state[row]! & bit.initiatorIsLow) === 0;
    const syn = this.#synFor(row, answeringIsLow);
    return syn && answerIn(interval, answeringIsLow, syn.isn);
  }

  /** Nothing is contested any more. */
  accept(row: number): void {
    this.forget(row);
  }

  /** Brings back the connection before. The counters of this interval stay. */
  restore(row: number): void {
    const contest = this.#contests.get(row);
    if (contest?.replaced === undefined) return;
    const rows = this.#rows;
    const { replaced } = contest;
    const ofInterval = bit.unreachable | bit.deliveryUnproven | bit.contested;
    const state = (replaced.state & ~ofInterval) | (rows.state[row]! & ofInterval);
    rows.state[row] = state | bit.changed | bit.reported;
    rows.beganUs[row] = replaced.beganUs;
    rows.isnLow[row] = replaced.isnLow;
    rows.isnHigh[row] = replaced.isnHigh;
    rows.closed[row] = replaced.closed;
    rows.rttUs[row] = replaced.rttUs;
    contest.replaced = undefined;
    this.#goOn(row);
  }

  /** A SYN that the other end answered as one that begins nothing. */
  addIgnoredSyn(row: number, fromLow: boolean, isn: number, timeUs: number): void {
    this.#note(row, fromLow, { isn, timeUs });
    this.#goOn(row);
  }

  forget(row: number): void {
    this.#contests.delete(row);
    this.#rows.state[row]! &= ~bit.contested;
  }

  #connectionOf(row: number): Replaced {
    const rows = this.#rows;
    return {
      state: rows.state[row]!,
      beganUs: rows.beganUs[row]!,
      isnLow: rows.isnLow[row]!,
      isnHigh: rows.isnHigh[row]!,
      closed: rows.closed[row]!,
      rttUs: rows.rttUs[row]!,
    };
  }

  #acceptedBy(row: number, fromLow: boolean, isn: number, answeredIsn: number): Accepted | undefined {
    const contest = this.#contests.get(row);
    if (contest === undefined || contest.replaced !== undefined) return undefined;
    const [own, answered] = fromLow ? [contest.low, contest.high] : [contest.high, contest.low];
    if (answered?.isn !== answeredIsn) return undefined;
    if (own?.isn === isn && own.timeUs < answered.timeUs) {
      return { initiatorIsLow: fromLow, beganUs: own.timeUs, bothSentSyn: true };
    }
    const bothSentSyn = own?.isn === isn;
    return { initiatorIsLow: !fromLow, beganUs: answered.timeUs, bothSentSyn };
  }

  /** The SYN that replaced a connection, and that this end is to answer. */
  #synFor(row: number, answeringIsLow: boolean): Syn | undefined {
    const contest = this.#contests.get(row);
    if (contest?.replaced === undefined) return undefined;
    const initiatorIsLow = (this.#rows.state[row]! & bit.initiatorIsLow) !== 0;
    if (initiatorIsLow === answeringIsLow) return undefined;
    return initiatorIsLow ? contest.low : contest.high;
  }

  #note(row: number, fromLow: boolean, syn: Syn): void {
    const contest = this.#contests.get(row) ?? { low: undefined, high: undefined, replaced: undefined };
    contest[fromLow ? 'low' : 'high'] = syn;
    this.#contests.set(row, contest);
    this.#rows.state[row]! |= bit.contested;
  }

  /** The other end still has the connection, so no reset ended it. */
  #goOn(row: number): void {
    if (this.#rows.closed[row] !== 3) this.#rows.state[row]! &= ~bit.ended;
  }

  /** Files are not always in order: no packet of the connection is older, and none was reported. */
  #isEarliest(row: number, state: number, timeUs: number): boolean {
    const known = bit.hasIsnLow | bit.hasIsnHigh | bit.synSeen | bit.reported;
    return (state & known) === 0 && timeUs <= this.#rows.beganUs[row]!;
  }

  /** All packets until now were fragments of headers, whose flags are not known: the SYN is one of these packets. */
  #hasNoFlags(row: number, state: number): boolean {
    const known = bit.hasIsnLow | bit.hasIsnHigh | bit.synSeen | bit.reported;
    const flags = this.#rows.flagsFromLow[row]! | this.#rows.flagsFromHigh[row]!;
    return (state & known) === 0 && (flags & ~URG) === PSH;
  }

  #hasIsn(row: number, ofLow: boolean): boolean {
    return (this.#rows.state[row]! & (ofLow ? bit.hasIsnLow : bit.hasIsnHigh)) !== 0;
  }

  #isn(row: number, ofLow: boolean): number {
    return (ofLow ? this.#rows.isnLow : this.#rows.isnHigh)[row]!;
  }

  #setIsn(row: number, ofLow: boolean, isn: number): void {
    (ofLow ? this.#rows.isnLow : this.#rows.isnHigh)[row] = isn;
    this.#rows.state[row]! |= ofLow ? bit.hasIsnLow : bit.hasIsnHigh;
  }
}

/** A plain ACK proves nothing: who knows the connection before can choose the number of a SYN that such an ACK fits. */
function meaningOf(flags: number, acknowledged: number, isn: number): AnswerMeaning | undefined {
  if ((flags & RST) !== 0) return 'new';
  if ((flags & ACK) === 0) return undefined;
  return (flags & SYN) !== 0 && acknowledged === (isn + 1) >>> 0 ? 'new' : 'before';
}

/** What the packets of one end mean for a SYN of the other end with the number `isn`, from this interval or before. */
export function answerIn(interval: Interval, ofLow: boolean, isn: number): AnswerMeaning | undefined {
  if (!(ofLow ? interval.lowSent : interval.highSent)) return undefined;
  const sentSynAck = ofLow ? interval.lowSentSynAck : interval.highSentSynAck;
  if (sentSynAck && (ofLow ? interval.isnHigh : interval.isnLow) === isn) return 'new';
  return (ofLow ? interval.flagsFromLow : interval.flagsFromHigh) & RST ? 'new' : 'before';
}
