// Receives the streams of the agents: checks the node name, skips batches stored before, and keeps the order of each
// agent's batches. A batch is acknowledged and joined after it is on disk.
import {
  type handleBidiStreamingCall,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  status,
} from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { nodeOfCertificate } from '../../certs/node-name.ts';
import type { TlsCredentials } from '../../certs/read.ts';
import { cannotListen } from '../../config/errors.ts';
import type { DnsReport } from '../../model/dns-answer.ts';
import { ProblemError } from '../../model/problem.ts';
import { reasonOf } from '../../model/reason.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import { batchFault } from '../../proto/check-batch.ts';
import { decodeRecords } from '../../proto/decode.ts';
import { decodeDnsNames } from '../../proto/dns-names.ts';
import { type Ack, type FlowBatch, flowIngestDefinition } from '../../proto/wire.ts';
import type { Agents } from './agents.ts';
import { ThrottledLog } from './throttled-log.ts';

export type IngestedBatch = {
  node: string;
  instance: string;
  sequence: number;
  clockOffsetUs: number;
  records: readonly ConnectionRecord[];
  dns: DnsReport;
};

/**
 * `store` resolves when the batch is on disk; false if it was stored before. `refused`: it can never be stored. `process`
 * is called after that.
 */
export type BatchSink = {
  store(batch: IngestedBatch): Promise<boolean | { refused: string }>;
  process(batch: IngestedBatch): void;
};

export type IngestOptions = {
  /** host:port; port 0 takes a free one. */
  listen: string;
  tls: TlsCredentials;
  maxBatchRecords: number;
  maxAgents: number;
  nowUs: () => number;
};

export type IngestServer = { port: number; streamsRefused: () => number; stop(): Promise<void> };

/** Resolves when it listens; rejects with a ProblemError if the port is in use or a certificate is invalid. */
export async function serveIngest(
  options: IngestOptions,
  agents: Agents,
  sink: BatchSink,
  log: Logger,
): Promise<IngestServer> {
  const { ca, cert, key } = options.tls;
  const server = new Server({ 'grpc.max_receive_message_length': 16 * 1024 * 1024, 'grpc.keepalive_time_ms': 10_000 });
  const refusals = new ThrottledLog(log, options.nowUs);
  let streams = 0;
  let refused = 0;
  const serve: handleBidiStreamingCall<FlowBatch, Ack> = (call) => {
    const node = nodeOfCertificate(call.getAuthContext().sslPeerCertificate?.raw);
    if (node === undefined || streams >= options.maxAgents) {
      refused += 1;
      const reason =
        node === undefined
          ? 'the certificate names no node'
          : `more than ${options.maxAgents} agents (ingest.maxAgents)`;
      refusals.warn(`stream ${node ?? ''}`, { address: call.getPeer(), reason }, 'stream refused');
      call.emit('error', {
        code: node === undefined ? status.PERMISSION_DENIED : status.RESOURCE_EXHAUSTED,
        details: reason,
      });
      return;
    }
    streams += 1;
    const stream = new AgentStream(node, call, options, agents, sink, log, refusals);
    stream.run().then((ended) => {
      streams -= 1;
      if (ended === 'refused') refused += 1;
    });
  };
  server.addService(flowIngestDefinition(), { Stream: serve });
  const port = await bind(
    server,
    options.listen,
    ServerCredentials.createSsl(ca, [{ private_key: key, cert_chain: cert }], true),
  );
  return {
    port,
    streamsRefused: () => refused,
    stop: () =>
      new Promise((resolve) => {
        server.tryShutdown(() => resolve());
        setTimeout(() => server.forceShutdown(), 500).unref();
      }),
  };
}

function bind(server: Server, listen: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(new ProblemError(cannotListen('ingest.listen', listen, error.message)));
    });
  });
}

class AgentStream {
  readonly #node: string;
  readonly #call: ServerDuplexStream<FlowBatch, Ack>;
  readonly #options: IngestOptions;
  readonly #agents: Agents;
  readonly #sink: BatchSink;
  readonly #log: Logger;
  readonly #refusals: ThrottledLog;
  #instance = '';
  /** Batches are stored concurrently and joined one by one, in the order in which they arrived. */
  #order: Promise<void> = Promise.resolve();

  constructor(
    node: string,
    call: ServerDuplexStream<FlowBatch, Ack>,
    options: IngestOptions,
    agents: Agents,
    sink: BatchSink,
    log: Logger,
    refusals: ThrottledLog,
  ) {
    this.#node = node;
    this.#call = call;
    this.#options = options;
    this.#agents = agents;
    this.#sink = sink;
    this.#log = log.child({ node });
    this.#refusals = refusals;
  }

  run(): Promise<'ended' | 'refused'> {
    return new Promise((resolve) => {
      const end = (how: 'ended' | 'refused') => {
        this.#agents.disconnected(this.#node, this.#instance);
        resolve(how);
      };
      let state: 'new' | 'accepted' | 'refused' = 'new';
      this.#call.on('data', (batch: FlowBatch) => {
        if (state === 'refused') return; // sent before the agent received the refusal
        if (batch.node !== this.#node) {
          state = 'refused';
          const reason = 'node name differs from the certificate';
          this.#warn({ claimedNode: batch.node.slice(0, 253), reason }, 'stream refused');
          end('refused');
          this.#call.emit('error', {
            code: status.PERMISSION_DENIED,
            details: `the certificate names node ${this.#node}`,
          });
          return;
        }
        // The first message confirms the stream, so that a refused agent does not believe that it is connected.
        if (state === 'new') this.#call.write({ sequence: 0, refused: '' });
        state = 'accepted';
        this.#receive(batch);
      });
      this.#call.on('end', () => {
        this.#call.end();
        end('ended');
      });
      this.#call.on('cancelled', () => end('ended'));
      this.#call.on('error', () => end('ended'));
    });
  }

  #receive(batch: FlowBatch): void {
    const fault = batchFault(batch);
    if (fault !== undefined) {
      this.#refuse(batch, fault);
      return;
    }
    const clockOffsetUs = this.#agents.receiveMessage(batch, this.#options.nowUs());
    this.#instance = batch.instance;
    const agents = this.#agents.agentsOf(this.#node, this.#options.nowUs());
    if (agents > 1) this.#warn({ agents, instance: batch.instance }, 'several agents of one node');
    if (batch.sequence === 0 || batch.records === null) {
      this.#order = this.#order.then(() => this.#agents.advanceCoverage(batch, this.#options.nowUs()));
      return;
    }
    const decodedRecords = decodeRecords(batch.records, this.#options.maxBatchRecords);
    const decodedNames = decodeDnsNames(batch.names);
    if ('fault' in decodedRecords || 'fault' in decodedNames) {
      const refused =
        'fault' in decodedRecords ? decodedRecords.fault : 'fault' in decodedNames ? decodedNames.fault : '';
      this.#refuse(batch, refused);
      return;
    }
    for (const record of decodedRecords.records)
      record.podUid = this.#agents.claimedPodAt(batch.node, batch.instance, record.interfaceIndex);
    const { node, instance, sequence } = batch;
    const ingested: IngestedBatch = {
      node,
      instance,
      sequence,
      clockOffsetUs,
      records: decodedRecords.records,
      dns: decodedNames.report,
    };
    const stored = this.#sink.store(ingested);
    stored.catch(() => undefined); // answered below, in order
    this.#order = this.#order.then(() => this.#acknowledge(batch, ingested, stored));
  }

  #warn(fields: Record<string, unknown>, message: string): void {
    this.#refusals.warn(`${message} ${this.#node}`, { node: this.#node, ...fields }, message);
  }

  /** A heartbeat (sequence 0) has no answer. */
  #refuse({ sequence }: FlowBatch, reason: string): void {
    this.#agents.countRefusedBatch(this.#node);
    this.#warn({ sequence, reason }, 'batch refused');
    if (sequence > 0) this.#call.write({ sequence, refused: reason });
  }

  async #acknowledge(batch: FlowBatch, ingested: IngestedBatch, stored: ReturnType<BatchSink['store']>): Promise<void> {
    try {
      const isNew = await stored;
      if (typeof isNew === 'object') {
        this.#refuse(batch, isNew.refused);
        return;
      }
      this.#agents.countRecords(this.#node, isNew ? ingested.records.length : 0, isNew ? 0 : 1);
      if (isNew) this.#sink.process(ingested);
      this.#agents.advanceCoverage(batch, this.#options.nowUs());
      this.#call.write({ sequence: batch.sequence, refused: '' });
    } catch (error) {
      // Not stored, so not acknowledged: the agent keeps the batch and sends it again on its next stream.
      this.#log.error(
        { sequence: batch.sequence, reason: reasonOf(error) },
        'batch not stored; the agent sends it again',
      );
      this.#call.emit('error', { code: status.UNAVAILABLE, details: 'the collector cannot store' });
    }
  }
}
