// One agent's stream: checks the node name and every value, skips batches stored before, and keeps the order of the agent's
// batches. A batch is acknowledged and joined after it is on disk.
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { type DnsReport, emptyDnsReport } from '../../model/dns-answer.ts';
import { reasonOf } from '../../model/reason.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import { batchFault } from '../../proto/check-batch.ts';
import { decodeRecords } from '../../proto/decode.ts';
import { decodeDnsNames } from '../../proto/dns-names.ts';
import { type Ack, type FlowBatch, flowIngestDefinition } from '../../proto/wire.ts';
import type { Agents } from './agents.ts';
import type { FairTurns } from './fair-turns.ts';
import type { FlowControl } from './flow-control.ts';
import { RoundTrips } from './round-trips.ts';
import type { ThrottledLog } from './throttled-log.ts';

/** One batch of one agent. The times of records and DNS are on the agent's clock. */
export type IngestedBatch = {
  node: string;
  instance: string;
  sequence: number;
  /** Collector clock minus agent clock, µs. */
  clockOffsetUs: number;
  records: readonly ConnectionRecord[];
  dns: DnsReport;
};

/**
 * `store` resolves when the batch is on disk; false if it was stored before. `refused`: it can never be stored. `process`
 * is called after that, for some of its records at a time.
 */
export type BatchSink = {
  store(batch: IngestedBatch): Promise<boolean | { refused: string }>;
  process(batch: IngestedBatch): void;
};

export type IngestParts = {
  agents: Agents;
  sink: BatchSink;
  flow: FlowControl;
  turns: FairTurns;
  maxBatchRecords: number;
  nowUs: () => number;
  log: Logger;
  refusals: ThrottledLog;
};

/** Messages are bytes, so that they are decoded in the agent's turn. */
export type AgentCall = ServerDuplexStream<Buffer, Ack>;

const { requestDeserialize } = flowIngestDefinition().Stream;
/** Records that are joined in one turn. */
const maxRecordsPerTurn = 1_000;
/** A heartbeat is answered if nothing else was sent for this long, to measure the round trip. */
const answerEveryUs = 1_000_000;

export class AgentStream {
  readonly #node: string;
  readonly #call: AgentCall;
  readonly #parts: IngestParts;
  readonly #log: Logger;
  readonly #roundTrips = new RoundTrips();
  #state: 'new' | 'accepted' | 'refused' = 'new';
  #instance = '';
  /** Everything that the stream brought until now is stored, or counted as lost. */
  #isComplete = true;
  /** Batches are stored concurrently and joined one by one, in the order in which they arrived. */
  #order: Promise<void> = Promise.resolve();

  constructor(node: string, call: AgentCall, parts: IngestParts) {
    this.#node = node;
    this.#call = call;
    this.#parts = parts;
    this.#log = parts.log.child({ node });
  }

  /** Resolves at the end of the stream. */
  run(): Promise<'ended' | 'refused'> {
    return new Promise((resolve) => {
      const end = () => {
        this.#parts.agents.disconnected(this.#node, this.#instance);
        resolve(this.#state === 'refused' ? 'refused' : 'ended');
      };
      this.#call.on('data', (message: Buffer) => {
        this.#receive(message);
        void this.#order.then(() => this.#parts.flow.finished(this.#node, message.length));
      });
      this.#call.on('end', () => {
        this.#order = this.#order.then(() => {
          if (!this.#isComplete) return;
          this.#parts.agents.endedInOrder(this.#node, this.#instance);
          this.#call.end();
        });
        end();
      });
      this.#call.on('cancelled', end);
      this.#call.on('error', end);
    });
  }

  /** Ends the stream with an error for the agent. */
  end(code: status, details: string): void {
    this.#call.emit('error', { code, details });
  }

  #receive(message: Buffer): void {
    if (this.#state === 'refused') return; // sent before the agent received the refusal
    let batch: FlowBatch;
    try {
      batch = requestDeserialize(message);
    } catch {
      this.#refuseStream(
        { reason: 'not a message of this protocol' },
        status.INVALID_ARGUMENT,
        'not a FlowBatch message',
      );
      return;
    }
    if (batch.node !== this.#node) {
      const fields = { claimedNode: batch.node.slice(0, 253), reason: 'node name differs from the certificate' };
      this.#refuseStream(fields, status.PERMISSION_DENIED, `the certificate names node ${this.#node}`);
      return;
    }
    // The first message confirms the stream, so that a refused agent does not believe that it is connected.
    if (this.#state === 'new') this.#answer({ sequence: 0, refused: '' });
    this.#state = 'accepted';
    const fault = batchFault(batch);
    if (fault !== undefined) this.#refuse(batch, fault);
    else this.#receiveValid(batch);
  }

  #refuseStream(fields: Record<string, unknown>, code: status, details: string): void {
    this.#state = 'refused';
    this.#warn(fields, 'stream refused');
    this.end(code, details);
  }

  #receiveValid(batch: FlowBatch): void {
    const { agents, maxBatchRecords, nowUs, sink } = this.#parts;
    const receivedUs = nowUs();
    const clockOffsetUs = agents.receiveMessage(batch, receivedUs, this.#roundTrips.of(batch.clock, receivedUs));
    this.#instance = batch.instance;
    const reporting = agents.agentsOf(this.#node, receivedUs);
    if (reporting > 1) this.#warn({ agents: reporting, instance: batch.instance }, 'several agents of one node');
    if (batch.sequence === 0 || batch.records === null) {
      this.#order = this.#order.then(() => this.#cover(batch));
      const isDue = receivedUs - this.#roundTrips.latestUs > answerEveryUs;
      if (batch.clock && isDue) this.#answer({ sequence: 0, refused: '' });
      return;
    }
    const decodedRecords = decodeRecords(batch.records, maxBatchRecords);
    const decodedNames = decodeDnsNames(batch.names);
    if ('fault' in decodedRecords || 'fault' in decodedNames) {
      this.#refuse(
        batch,
        'fault' in decodedRecords ? decodedRecords.fault : 'fault' in decodedNames ? decodedNames.fault : '',
      );
      return;
    }
    const { node, instance, sequence } = batch;
    const { records } = decodedRecords;
    for (const record of records) record.podUid = agents.claimedPodAt(node, instance, record.interfaceIndex);
    const ingested: IngestedBatch = { node, instance, sequence, clockOffsetUs, records, dns: decodedNames.report };
    const stored = sink.store(ingested);
    stored.catch(() => undefined); // answered below, in order
    this.#order = this.#order.then(() => this.#acknowledge(batch, ingested, stored));
  }

  #warn(fields: Record<string, unknown>, message: string): void {
    this.#parts.refusals.warn(`${message} ${this.#node}`, { node: this.#node, ...fields }, message);
  }

  #answer(ack: Ack): void {
    if (!this.#isComplete) return; // the stream ends with an error
    this.#roundTrips.sent(this.#parts.nowUs());
    this.#call.write(ack);
  }

  #cover(batch: FlowBatch): void {
    if (this.#isComplete) this.#parts.agents.advanceCoverage(batch, this.#parts.nowUs());
  }

  /** A refused heartbeat (sequence 0) is no loss, and has no answer. */
  #refuse({ sequence, instance }: FlowBatch, reason: string): void {
    const { agents, nowUs } = this.#parts;
    agents.countRefusedBatch(this.#node);
    this.#warn({ sequence, reason }, 'batch refused');
    if (sequence === 0) return;
    agents.loseBatch(this.#node, instance, nowUs());
    this.#answer({ sequence, refused: reason });
  }

  async #acknowledge(batch: FlowBatch, ingested: IngestedBatch, stored: ReturnType<BatchSink['store']>): Promise<void> {
    const { agents } = this.#parts;
    try {
      const isNew = await stored;
      if (typeof isNew === 'object') {
        this.#refuse(batch, isNew.refused);
        return;
      }
      agents.countRecords(this.#node, isNew ? ingested.records.length : 0, isNew ? 0 : 1);
      if (isNew) await this.#process(ingested);
      this.#cover(batch);
      this.#answer({ sequence: batch.sequence, refused: '' });
    } catch (error) {
      this.#isComplete = false;
      // Not stored, so not acknowledged: the agent keeps the batch and sends it again on its next stream.
      this.#log.error(
        { sequence: batch.sequence, reason: reasonOf(error) },
        'batch not stored; the agent sends it again',
      );
      this.end(status.UNAVAILABLE, 'the collector cannot store');
    }
  }

  /** In turns, so that a large batch does not make other agents wait. */
  async #process(batch: IngestedBatch): Promise<void> {
    const { sink, turns } = this.#parts;
    for (let from = 0; from === 0 || from < batch.records.length; from += maxRecordsPerTurn) {
      const records = batch.records.slice(from, from + maxRecordsPerTurn);
      await turns.take(this.#node, records.length);
      sink.process({ ...batch, records, dns: from === 0 ? batch.dns : emptyDnsReport });
    }
  }
}
