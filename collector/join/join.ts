// The join: makes one connection of the records of both observation points and of all intervals. The connection is due for
// evaluation when both sides had time to report it (docs/join.md).
import type { Address } from '../../model/address.ts';
import type { JoinedConnection } from '../../model/joined.ts';
import { TCP } from '../../model/protocol.ts';
import type { ConnectionRecord, Tuple } from '../../model/record.ts';
import type { Coverage } from './delivered.ts';
import { connectionId, initiatorKey, tupleKey } from './keys.ts';
import { addRecord, observationOf, reverseObservation, reverseRecord, reverseTuple } from './observation.ts';
import { observationsOf, outcomeOf } from './outcome.ts';
import {
  clockToleranceUs,
  hasSameInitiator,
  isBetterMatch,
  isSameInterface,
  knowsInitiatorBetter,
  orientedAsPrevious,
  type RecordBatch,
  recordMatches,
  tupleOf,
} from './record-matching.ts';

export type JoinOptions = {
  /** How long to wait for an answer before evaluation. A later answer causes a re-evaluation. */
  answerTimeoutUs: number;
  /** How long to wait for an agent that lags. */
  maxLagUs: number;
  maxLive: number;
};

/** The ready endpoints of the Service with that address and port; undefined if it is not a Service. */
export type FindBackends = (
  protocol: number,
  address: Address,
  port: number,
) => { address: Address; port: number }[] | undefined;

/** `merged`: the connection became part of another one, so its own verdict is void. `retired`: it is forgotten. */
export type JoinEvents = { due(joined: JoinedConnection): void; merged(id: string): void; retired(id: string): void };

type LiveConnection = JoinedConnection & { keys: string[]; updatedUs: number; evaluated: boolean };

/** An agent has reported a time if its records reach this far beyond it. */
const settledMarginUs = 100_000;
const idleTimeoutUs = { tcp: 310_000_000, other: 70_000_000 };
const endedTimeoutUs = 5_000_000;
const maxSweptPerTick = 4_000;
/** A check whether a connection is due costs this many times less than an evaluation. */
const checksPerEvaluation = 20;

export class Join {
  readonly #options: JoinOptions;
  readonly #coverage: Coverage;
  readonly #findBackends: FindBackends;
  readonly #events: JoinEvents;
  readonly #live = new Set<LiveConnection>();
  readonly #current = new Map<string, LiveConnection>();
  readonly #previous = new Map<string, LiveConnection>();
  readonly #unresolved = new Map<string, LiveConnection>();
  readonly #pending = new Set<LiveConnection>();
  #pendingCursor: Iterator<LiveConnection> | undefined;
  #sweepCursor: Iterator<LiveConnection> | undefined;
  #evicted = 0;

  constructor(options: JoinOptions, coverage: Coverage, findBackends: FindBackends, events: JoinEvents) {
    this.#options = options;
    this.#coverage = coverage;
    this.#findBackends = findBackends;
    this.#events = events;
  }

  receive(batch: RecordBatch, nowUs: number): void {
    for (const record of batch.records) {
      const live = this.#find(record, batch) ?? this.#begin(record, batch);
      this.#add(live, record, batch);
      live.updatedUs = nowUs;
      this.#pending.add(live);
    }
    for (const oldest of this.#live) {
      if (this.#live.size <= this.#options.maxLive) break;
      this.#evicted += 1;
      this.#evaluate(oldest);
      this.#retire(oldest);
    }
  }

  /**
   * Evaluates connections that are due, at most `maxConnections`, and retires those that ended; call it often. Returns
   * true if it stopped at the limit: the next call continues there.
   */
  tick(nowUs: number, maxConnections = Number.POSITIVE_INFINITY): boolean {
    this.#pendingCursor ??= this.#pending.values();
    let evaluatedCount = 0;
    for (
      let checkedCount = 0;
      evaluatedCount < maxConnections && checkedCount < maxConnections * checksPerEvaluation;
      checkedCount++
    ) {
      const next = this.#pendingCursor.next();
      if (next.done) {
        this.#pendingCursor = undefined;
        break;
      }
      if (!this.#isDue(next.value, nowUs)) continue;
      this.#evaluate(next.value);
      evaluatedCount += 1;
    }
    this.#sweepEnded(nowUs);
    return this.#pendingCursor !== undefined;
  }

  #sweepEnded(nowUs: number): void {
    this.#sweepCursor ??= this.#live.values();
    for (let i = 0; i < maxSweptPerTick; i++) {
      const next = this.#sweepCursor.next();
      if (next.done) {
        this.#sweepCursor = undefined;
        return;
      }
      if (this.#canRetire(next.value, nowUs)) this.#retire(next.value);
    }
  }

  /** Evaluates all pending connections now, at the end of a file or of the program. */
  finish(): void {
    for (const live of this.#pending) this.#evaluate(live);
  }

  get pending(): number {
    return this.#pending.size;
  }

  get counts(): { live: number; pending: number; evicted: number } {
    return { live: this.#live.size, pending: this.#pending.size, evicted: this.#evicted };
  }

  #evaluate(live: LiveConnection): void {
    this.#pending.delete(live);
    live.evaluated = true;
    this.#events.due(live);
  }

  #isDue(live: LiveConnection, nowUs: number): boolean {
    const answered = outcomeOf(live) !== 'unanswered';
    const settledUs = live.evaluated ? live.startUs : live.startUs + (answered ? 0 : this.#options.answerTimeoutUs);
    if (nowUs < settledUs) return false;
    if (nowUs > settledUs + this.#options.maxLagUs) return true;
    return this.#awaitedNodes(live, answered).every((node) => {
      const agent = this.#coverage.reportingAgent(node, nowUs);
      return agent === undefined || agent.coveredUntilUs > settledUs + settledMarginUs;
    });
  }

  /** Nodes that have to report first: those of sides not seen yet; without an answer, those of both sides. */
  #awaitedNodes(live: LiveConnection, answered: boolean): string[] {
    const nodes: string[] = [];
    if (live.source === undefined) nodes.push(...this.#nodesAt([live.originalTuple.initiator]));
    else if (!answered) nodes.push(live.source.node);
    if (live.destination !== undefined) {
      if (!answered) nodes.push(live.destination.node);
      return nodes;
    }
    const backends = live.originalTuple === live.translatedTuple ? this.#backendsOf(live) : undefined;
    nodes.push(...this.#nodesAt(backends?.map((one) => one.address) ?? [live.translatedTuple.responder]));
    return nodes;
  }

  #nodesAt(addresses: readonly Address[]): string[] {
    return addresses
      .map((address) => this.#coverage.interfaceOf('', address)?.node)
      .filter((node) => node !== undefined);
  }

  #backendsOf(live: JoinedConnection): { address: Address; port: number }[] | undefined {
    return this.#findBackends(live.protocol, live.originalTuple.responder, live.originalTuple.responderPort);
  }

  #find(record: ConnectionRecord, batch: RecordBatch): LiveConnection | undefined {
    const tuples: Tuple[] = record.translation
      ? [record, record.translation.translated, record.translation.original]
      : [record];
    const firstUs = record.firstUs + batch.clockOffsetUs;
    let best: LiveConnection | undefined;
    for (const tuple of tuples) {
      const key = tupleKey(record.protocol, tuple);
      for (const live of [this.#current.get(key), this.#previous.get(key)]) {
        if (live === undefined || live === best || !recordMatches(live, record, batch)) continue;
        if (best === undefined || isBetterMatch(live, best, record, batch, firstUs)) best = live;
      }
    }
    return best ?? this.#findThroughService(record, batch);
  }

  /**
   * Without conntrack: same initiator and protocol, an endpoint of the Service, and overlapping times. A record of a
   * capture file may be of either side.
   */
  #findThroughService(record: ConnectionRecord, batch: RecordBatch): LiveConnection | undefined {
    if (record.translation !== undefined) return undefined;
    const serviceSide = record.point === 'source' ? undefined : this.#findServiceSide(record, batch);
    if (serviceSide !== undefined || record.point === 'destination') return serviceSide;
    const candidates = this.#findBackends(record.protocol, record.responder, record.responderPort)
      ?.map(({ address, port }) =>
        this.#current.get(tupleKey(record.protocol, { ...tupleOf(record), responder: address, responderPort: port })),
      )
      .filter((live) => live !== undefined && this.#isBackendSide(live, record) && recordMatches(live, record, batch));
    return candidates?.length === 1 ? candidates[0] : undefined;
  }

  /** The connection to a Service, for a record that one of its endpoints received. */
  #findServiceSide(record: ConnectionRecord, batch: RecordBatch): LiveConnection | undefined {
    const candidate = this.#unresolved.get(initiatorKey(record.protocol, record));
    if (candidate === undefined || candidate.destination !== undefined || !recordMatches(candidate, record, batch))
      return undefined;
    const isBackend = this.#backendsOf(candidate)?.some(
      (one) => one.address === record.responder && one.port === record.responderPort,
    );
    return isBackend ? candidate : undefined;
  }

  /** Whether the connection to an endpoint may be the other side of a record to its Service. */
  #isBackendSide(live: LiveConnection, record: ConnectionRecord): boolean {
    return record.point === 'host'
      ? live.host !== undefined && live.originalTuple === live.translatedTuple
      : live.source === undefined;
  }

  #begin(record: ConnectionRecord, batch: RecordBatch): LiveConnection {
    const key = tupleKey(record.protocol, record);
    const tuple = tupleOf(orientedAsPrevious(this.#current.get(key), record));
    const startUs = record.beganUs + batch.clockOffsetUs;
    const live: LiveConnection = {
      id: connectionId(key, batch.node, record.beganUs),
      protocol: record.protocol,
      startUs,
      lastUs: startUs,
      source: undefined,
      destination: undefined,
      host: undefined,
      originalTuple: tuple,
      translatedTuple: tuple,
      keys: [],
      updatedUs: 0,
      evaluated: false,
    };
    this.#live.add(live);
    this.#index(live, key);
    if (record.point !== 'destination' && this.#backendsOf(live) !== undefined) {
      this.#unresolved.set(initiatorKey(record.protocol, record), live);
    }
    return live;
  }

  #add(live: LiveConnection, received: ConnectionRecord, batch: RecordBatch): void {
    const record = this.#orientRecord(live, received);
    const observation = live[record.point];
    // An earlier time may belong to the previous connection with these ends at the other side.
    const sinceUs = observationsOf(live).length > 0 ? record.firstUs : record.beganUs;
    if (observation === undefined) {
      live[record.point] = observationOf(record, batch.node, batch.clockOffsetUs);
      this.#index(live, tupleKey(record.protocol, record));
    } else if (isSameInterface(observation, record, batch)) {
      addRecord(observation, record, batch.clockOffsetUs);
    } else {
      // A second interface of the same point (capture files): its flags count, its packets would count twice.
      observation.tcpFlags.reverse |= record.tcpFlags.reverse;
      observation.unreachable ||= record.unreachable;
      this.#index(live, tupleKey(record.protocol, record));
    }
    live.startUs = Math.min(live.startUs, sinceUs + batch.clockOffsetUs);
    live.lastUs = Math.max(live.lastUs, record.lastUs + batch.clockOffsetUs);
    this.#updateTuples(live, record);
  }

  /** Reverses the record if it names the other initiator; if the record knows better, reverses the connection instead. */
  #orientRecord(live: LiveConnection, record: ConnectionRecord): ConnectionRecord {
    const observations = observationsOf(live);
    if (hasSameInitiator(live, record)) return record;
    if (observations.length === 0) return reverseRecord(record);
    if (observations.some((one) => one.initiatorBy === 'handshake')) return reverseRecord(record);
    if (record.initiatorBy === 'inferred' && !knowsInitiatorBetter(live, record)) return reverseRecord(record);
    const [source, destination] = [live.destination, live.source];
    live.source = source && reverseObservation(source);
    live.destination = destination && reverseObservation(destination);
    live.host = live.host && reverseObservation(live.host);
    live.originalTuple = live.translatedTuple = reverseTuple(live.translatedTuple);
    return record;
  }

  #updateTuples(live: LiveConnection, record: ConnectionRecord): void {
    if (record.translation !== undefined) {
      live.originalTuple = record.translation.original;
      live.translatedTuple = record.translation.translated;
      for (const tuple of [live.originalTuple, live.translatedTuple])
        this.#indexAndMerge(live, tupleKey(record.protocol, tuple));
      return;
    }
    if (live.originalTuple !== live.translatedTuple) return;
    const [originalTuple, translatedTuple] = this.#originalAndTranslated(live, record);
    if (tupleKey(live.protocol, originalTuple) === tupleKey(live.protocol, translatedTuple)) return;
    live.originalTuple = originalTuple;
    live.translatedTuple = translatedTuple;
  }

  /** The tuples before and after translation, from both sides or from two interfaces of a capture file. */
  #originalAndTranslated(live: LiveConnection, record: ConnectionRecord): [Tuple, Tuple] {
    if (live.source !== undefined && live.destination !== undefined) {
      return [tupleOf(live.source), tupleOf(live.destination)];
    }
    if (live.host === undefined || record.point !== 'host') return [live.originalTuple, live.translatedTuple];
    const [one, other] = [tupleOf(live.host), tupleOf(record)];
    const isOriginal = this.#findBackends(live.protocol, one.responder, one.responderPort) !== undefined;
    return isOriginal ? [one, other] : [other, one];
  }

  /** Indexes `live` by the key. Another connection with that key is merged into it if it is the missing side. */
  #indexAndMerge(live: LiveConnection, key: string): void {
    const other = this.#current.get(key);
    this.#index(live, key);
    if (other === undefined || other === live || Math.abs(other.startUs - live.startUs) > clockToleranceUs) return;
    if (other.source === undefined && other.destination !== undefined && live.destination === undefined) {
      live.destination = other.destination;
    } else if (other.destination === undefined && other.source !== undefined && live.source === undefined) {
      live.source = other.source;
    } else return;
    live.startUs = Math.min(live.startUs, other.startUs);
    live.lastUs = Math.max(live.lastUs, other.lastUs);
    if (other.evaluated) this.#events.merged(other.id);
    this.#retire(other);
  }

  #index(live: LiveConnection, key: string): void {
    if (live.keys.includes(key)) return;
    const replaced = this.#current.get(key);
    if (replaced !== undefined && replaced !== live) this.#previous.set(key, replaced);
    this.#current.set(key, live);
    live.keys.push(key);
  }

  #canRetire(live: LiveConnection, nowUs: number): boolean {
    if (!live.evaluated || this.#pending.has(live)) return false;
    const observations = observationsOf(live);
    if (observations.every((one) => one.ended) && nowUs - live.updatedUs > endedTimeoutUs) return true;
    return nowUs - live.updatedUs > (live.protocol === TCP ? idleTimeoutUs.tcp : idleTimeoutUs.other);
  }

  #retire(live: LiveConnection): void {
    this.#live.delete(live);
    this.#pending.delete(live);
    for (const key of live.keys) {
      if (this.#current.get(key) === live) this.#current.delete(key);
      if (this.#previous.get(key) === live) this.#previous.delete(key);
    }
    const unresolvedKey = initiatorKey(live.protocol, live.originalTuple);
    if (this.#unresolved.get(unresolvedKey) === live) this.#unresolved.delete(unresolvedKey);
    this.#events.retired(live.id);
  }
}
