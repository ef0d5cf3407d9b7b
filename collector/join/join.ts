// The join: records of both observation points and of several intervals become one connection, which is due for
// judgement once both sides had their chance to speak (docs/join.md).
import type { Address } from '../../model/address.ts';
import type { Joined } from '../../model/joined.ts';
import { TCP } from '../../model/protocol.ts';
import type { ConnectionRecord, Tuple } from '../../model/record.ts';
import {
  asBefore,
  belongs,
  isNearer,
  isSameWay,
  isThere,
  type RecordBatch,
  sawOrder,
  toleranceUs,
  tupleOf,
} from './belonging.ts';
import type { Coverage } from './delivered.ts';
import { connectionId, initiatorKey, tupleKey } from './keys.ts';
import { addRecord, observationOf, turnedObservation, turnedRecord, turnedTuple } from './observation.ts';
import { observationsOf, outcomeOf } from './outcome.ts';

export type JoinOptions = {
  /** A connection without an answer is judged after this, and again when one comes. */
  answerTimeoutUs: number;
  /** The longest wait for an agent that lags. */
  maxLagUs: number;
  maxLive: number;
};

/** The ready endpoints of the Service that owns the address at that port; undefined where no Service does. */
export type ServiceBackends = (
  protocol: number,
  address: Address,
  port: number,
) => { address: Address; port: number }[] | undefined;

/** `dropped`: the connection turned out to be part of another; what was judged of it alone is void. `over`: no more. */
export type JoinEvents = { due(joined: Joined): void; dropped(id: string): void; over(id: string): void };

type Live = Joined & { keys: string[]; touchedUs: number; judged: boolean };

/** A side speaks for a time once its agent's records reach this far beyond it. */
const settledMarginUs = 100_000;
const silenceUs = { tcp: 310_000_000, other: 70_000_000 };
const keptAfterEndUs = 5_000_000;
const sweptPerTick = 4_000;
/** To look whether one is due costs so much less than to judge it. */
const lookedForOne = 20;

export class Join {
  readonly #options: JoinOptions;
  readonly #coverage: Coverage;
  readonly #backends: ServiceBackends;
  readonly #events: JoinEvents;
  readonly #live = new Set<Live>();
  readonly #current = new Map<string, Live>();
  readonly #former = new Map<string, Live>();
  readonly #unresolved = new Map<string, Live>();
  readonly #pending = new Set<Live>();
  #walk: Iterator<Live> | undefined;
  #sweep: Iterator<Live> | undefined;
  #evicted = 0;

  constructor(options: JoinOptions, coverage: Coverage, backends: ServiceBackends, events: JoinEvents) {
    this.#options = options;
    this.#coverage = coverage;
    this.#backends = backends;
    this.#events = events;
  }

  receive(batch: RecordBatch, nowUs: number): void {
    for (const record of batch.records) {
      const live = this.#find(record, batch) ?? this.#begin(record, batch);
      this.#add(live, record, batch);
      live.touchedUs = nowUs;
      this.#pending.add(live);
    }
    for (const oldest of this.#live) {
      if (this.#live.size <= this.#options.maxLive) break;
      this.#evicted += 1;
      this.#judge(oldest);
      this.#retire(oldest);
    }
  }

  /**
   * Judges what is due, at most `most`, and forgets what ended; call it often. Returns whether it stopped at `most`: the
   * next call goes on from there.
   */
  tick(nowUs: number, most = Number.POSITIVE_INFINITY): boolean {
    this.#walk ??= this.#pending.values();
    let judged = 0;
    for (let looked = 0; judged < most && looked < most * lookedForOne; looked++) {
      const next = this.#walk.next();
      if (next.done) {
        this.#walk = undefined;
        break;
      }
      if (!this.#isSettled(next.value, nowUs)) continue;
      this.#judge(next.value);
      judged += 1;
    }
    this.#forget(nowUs);
    return this.#walk !== undefined;
  }

  #forget(nowUs: number): void {
    this.#sweep ??= this.#live.values();
    for (let i = 0; i < sweptPerTick; i++) {
      const next = this.#sweep.next();
      if (next.done) {
        this.#sweep = undefined;
        return;
      }
      if (this.#isOver(next.value, nowUs)) this.#retire(next.value);
    }
  }

  /** Judges everything now, whatever is still on its way: for the end of a file or of the program. */
  finish(): void {
    for (const live of this.#pending) this.#judge(live);
  }

  get pending(): number {
    return this.#pending.size;
  }

  get counts(): { live: number; pending: number; evicted: number } {
    return { live: this.#live.size, pending: this.#pending.size, evicted: this.#evicted };
  }

  #judge(live: Live): void {
    this.#pending.delete(live);
    live.judged = true;
    this.#events.due(live);
  }

  #isSettled(live: Live, nowUs: number): boolean {
    const answered = outcomeOf(live) !== 'unanswered';
    const settledUs = live.judged ? live.startUs : live.startUs + (answered ? 0 : this.#options.answerTimeoutUs);
    if (nowUs < settledUs) return false;
    if (nowUs > settledUs + this.#options.maxLagUs) return true;
    return this.#awaitedNodes(live, answered).every((node) => {
      const agent = this.#coverage.reporting(node, nowUs);
      return agent === undefined || agent.coveredUntilUs > settledUs + settledMarginUs;
    });
  }

  /** Nodes whose word is missing: those of sides not seen yet and, while nothing answered, of both. */
  #awaitedNodes(live: Live, answered: boolean): string[] {
    const nodes: string[] = [];
    if (live.source === undefined) nodes.push(...this.#nodesAt([live.asked.initiator]));
    else if (!answered) nodes.push(live.source.node);
    if (live.destination !== undefined) {
      if (!answered) nodes.push(live.destination.node);
      return nodes;
    }
    const backends = live.asked === live.reached ? this.#backendsOf(live) : undefined;
    nodes.push(...this.#nodesAt(backends?.map((one) => one.address) ?? [live.reached.responder]));
    return nodes;
  }

  #nodesAt(addresses: readonly Address[]): string[] {
    return addresses
      .map((address) => this.#coverage.interfaceOf('', address)?.node)
      .filter((node) => node !== undefined);
  }

  #backendsOf(live: Joined): { address: Address; port: number }[] | undefined {
    return this.#backends(live.protocol, live.asked.responder, live.asked.responderPort);
  }

  #find(record: ConnectionRecord, batch: RecordBatch): Live | undefined {
    const tuples: Tuple[] = record.translation
      ? [record, record.translation.translated, record.translation.original]
      : [record];
    const firstUs = record.firstUs + batch.clockOffsetUs;
    let best: Live | undefined;
    for (const tuple of tuples) {
      const key = tupleKey(record.protocol, tuple);
      for (const live of [this.#current.get(key), this.#former.get(key)]) {
        if (live === undefined || live === best || !belongs(live, record, batch)) continue;
        if (best === undefined || isNearer(live, best, record, batch, firstUs)) best = live;
      }
    }
    return best ?? this.#findThroughService(record, batch);
  }

  /**
   * Without conntrack: same initiator and protocol, an endpoint of the Service, and times that overlap. A file has no
   * sides: what it holds may be either.
   */
  #findThroughService(record: ConnectionRecord, batch: RecordBatch): Live | undefined {
    if (record.translation !== undefined) return undefined;
    const waiting = record.point === 'source' ? undefined : this.#findAsker(record, batch);
    if (waiting !== undefined || record.point === 'destination') return waiting;
    const candidates = this.#backends(record.protocol, record.responder, record.responderPort)
      ?.map(({ address, port }) =>
        this.#current.get(tupleKey(record.protocol, { ...tupleOf(record), responder: address, responderPort: port })),
      )
      .filter((live) => live !== undefined && this.#isAnswerer(live, record) && belongs(live, record, batch));
    return candidates?.length === 1 ? candidates[0] : undefined;
  }

  /** The connection to a Service that the record, of one of its endpoints, is the other side of. */
  #findAsker(record: ConnectionRecord, batch: RecordBatch): Live | undefined {
    const waiting = this.#unresolved.get(initiatorKey(record.protocol, record));
    if (waiting === undefined || waiting.destination !== undefined || !belongs(waiting, record, batch))
      return undefined;
    const fits = this.#backendsOf(waiting)?.some(
      (one) => one.address === record.responder && one.port === record.responderPort,
    );
    return fits ? waiting : undefined;
  }

  /** Whether the connection, to an endpoint, may be the other side of the record, to its Service. */
  #isAnswerer(live: Live, record: ConnectionRecord): boolean {
    return record.point === 'host' ? live.host !== undefined && live.asked === live.reached : live.source === undefined;
  }

  #begin(record: ConnectionRecord, batch: RecordBatch): Live {
    const key = tupleKey(record.protocol, record);
    const tuple = tupleOf(asBefore(this.#current.get(key), record));
    const startUs = record.beganUs + batch.clockOffsetUs;
    const live: Live = {
      id: connectionId(key, batch.node, record.beganUs),
      protocol: record.protocol,
      startUs,
      lastUs: startUs,
      source: undefined,
      destination: undefined,
      host: undefined,
      asked: tuple,
      reached: tuple,
      keys: [],
      touchedUs: 0,
      judged: false,
    };
    this.#live.add(live);
    this.#keep(live, key);
    if (record.point !== 'destination' && this.#backendsOf(live) !== undefined) {
      this.#unresolved.set(initiatorKey(record.protocol, record), live);
    }
    return live;
  }

  #add(live: Live, seen: ConnectionRecord, batch: RecordBatch): void {
    const record = this.#facing(live, seen);
    const before = live[record.point];
    // What was before may belong to the connection whose place this one took at the other side.
    const sinceUs = observationsOf(live).length > 0 ? record.firstUs : record.beganUs;
    if (before === undefined) {
      live[record.point] = observationOf(record, batch.node, batch.clockOffsetUs);
      this.#keep(live, tupleKey(record.protocol, record));
    } else if (isThere(before, record, batch)) {
      addRecord(before, record, batch.clockOffsetUs);
    } else {
      // A second interface of the same point (files): what it saw counts, its packets do not.
      before.tcpFlags.reverse |= record.tcpFlags.reverse;
      before.unreachable ||= record.unreachable;
      this.#keep(live, tupleKey(record.protocol, record));
    }
    live.startUs = Math.min(live.startUs, sinceUs + batch.clockOffsetUs);
    live.lastUs = Math.max(live.lastUs, record.lastUs + batch.clockOffsetUs);
    this.#learnTuples(live, record);
  }

  /** The record as seen from the initiator that the connection has, unless the record knows better who that is. */
  #facing(live: Live, record: ConnectionRecord): ConnectionRecord {
    const known = observationsOf(live);
    if (isSameWay(live, record)) return record;
    if (known.length === 0) return turnedRecord(record);
    if (known.some((one) => one.initiatorBy === 'handshake')) return turnedRecord(record);
    if (record.initiatorBy === 'inferred' && !sawOrder(live, record)) return turnedRecord(record);
    const [source, destination] = [live.destination, live.source];
    live.source = source && turnedObservation(source);
    live.destination = destination && turnedObservation(destination);
    live.host = live.host && turnedObservation(live.host);
    live.asked = live.reached = turnedTuple(live.reached);
    return record;
  }

  #learnTuples(live: Live, record: ConnectionRecord): void {
    if (record.translation !== undefined) {
      live.asked = record.translation.original;
      live.reached = record.translation.translated;
      for (const tuple of [live.asked, live.reached]) this.#attach(live, tupleKey(record.protocol, tuple));
      return;
    }
    if (live.asked !== live.reached) return;
    const [asked, reached] = this.#bothTuples(live, record);
    if (tupleKey(live.protocol, asked) === tupleKey(live.protocol, reached)) return;
    live.asked = asked;
    live.reached = reached;
  }

  /** What the initiator asked for and what was reached, as far as both sides, or both interfaces of a file, tell. */
  #bothTuples(live: Live, record: ConnectionRecord): [Tuple, Tuple] {
    if (live.source !== undefined && live.destination !== undefined) {
      return [tupleOf(live.source), tupleOf(live.destination)];
    }
    if (live.host === undefined || record.point !== 'host') return [live.asked, live.reached];
    const [one, other] = [tupleOf(live.host), tupleOf(record)];
    const isAsked = this.#backends(live.protocol, one.responder, one.responderPort) !== undefined;
    return isAsked ? [one, other] : [other, one];
  }

  /** The key leads to `live` from now on; a connection that stood there alone, and is the side that it lacks, is part of it. */
  #attach(live: Live, key: string): void {
    const other = this.#current.get(key);
    this.#keep(live, key);
    if (other === undefined || other === live || Math.abs(other.startUs - live.startUs) > toleranceUs) return;
    if (other.source === undefined && other.destination !== undefined && live.destination === undefined) {
      live.destination = other.destination;
    } else if (other.destination === undefined && other.source !== undefined && live.source === undefined) {
      live.source = other.source;
    } else return;
    live.startUs = Math.min(live.startUs, other.startUs);
    live.lastUs = Math.max(live.lastUs, other.lastUs);
    if (other.judged) this.#events.dropped(other.id);
    this.#retire(other);
  }

  #keep(live: Live, key: string): void {
    if (live.keys.includes(key)) return;
    const replaced = this.#current.get(key);
    if (replaced !== undefined && replaced !== live) this.#former.set(key, replaced);
    this.#current.set(key, live);
    live.keys.push(key);
  }

  #isOver(live: Live, nowUs: number): boolean {
    if (!live.judged || this.#pending.has(live)) return false;
    const sides = observationsOf(live);
    if (sides.every((seen) => seen.ended) && nowUs - live.touchedUs > keptAfterEndUs) return true;
    return nowUs - live.touchedUs > (live.protocol === TCP ? silenceUs.tcp : silenceUs.other);
  }

  #retire(live: Live): void {
    this.#live.delete(live);
    this.#pending.delete(live);
    for (const key of live.keys) {
      if (this.#current.get(key) === live) this.#current.delete(key);
      if (this.#former.get(key) === live) this.#former.delete(key);
    }
    const waiting = initiatorKey(live.protocol, live.asked);
    if (this.#unresolved.get(waiting) === live) this.#unresolved.delete(waiting);
    this.#events.over(live.id);
  }
}
