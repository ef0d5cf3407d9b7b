// The agent's stream to the collector: batches up, acknowledgements down. After a break the agent sends every batch
// again that was not acknowledged; the collector drops batches that it has stored already.
import { Client, type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { TlsCredentials } from '../../certs/read.ts';
import { type PackedBatch, serializeWithPacked } from '../../proto/pack.ts';
import { type Ack, type AgentState, type FlowBatch, flowIngestDefinition } from '../../proto/wire.ts';
import type { BatchQueue, QueuedBatch } from './queue.ts';
import { streamFailure } from './stream-failure.ts';

export type StreamOptions = {
  node: string;
  instance: string;
  /** host:port; the collector's certificate must contain the host. */
  address: string;
  tls: TlsCredentials;
  nowUs: () => number;
  /** The agent's report about itself; a new object if something changed. */
  state: () => AgentState;
  /** The collector answers on a new stream: it may have restarted. */
  onConnected: () => void;
};

type OutgoingBatch = Pick<QueuedBatch, 'sequence' | 'coveredUntilUs' | 'packed'>;
type StreamMessage = { envelope: FlowBatch; packed: PackedBatch };

const emptyBatch: PackedBatch = Buffer.alloc(0);

/** Batches that are sent and not acknowledged. This bounds the collector's memory. */
const maxInFlight = 16;
const backoffMs = { initial: 250, max: 10_000 };

export class CollectorStream {
  readonly #options: StreamOptions;
  readonly #queue: BatchQueue;
  readonly #log: Logger;
  readonly #client: Client;
  #call: ClientDuplexStream<StreamMessage, Ack> | undefined;
  #sentUpTo = 0;
  #inFlight = 0;
  #sentState: AgentState | undefined;
  #retryMs = backoffMs.initial;
  #retryTimer: NodeJS.Timeout | undefined;
  #loggedFailure = '';
  #closed = false;

  constructor(options: StreamOptions, queue: BatchQueue, log: Logger) {
    this.#options = options;
    this.#queue = queue;
    this.#log = log;
    const { ca, cert, key } = options.tls;
    this.#client = new Client(options.address, credentials.createSsl(ca, key, cert), {
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2_000,
    });
    this.#open();
  }

  get connected(): boolean {
    return this.#call !== undefined && this.#loggedFailure === '';
  }

  /** Sends the new batches, then a heartbeat with the time until which all packets are covered. */
  flush(): void {
    if (this.#call === undefined) return;
    for (const batch of this.#queue.after(this.#sentUpTo)) {
      if (this.#inFlight >= maxInFlight) return;
      this.#send(batch);
      this.#sentUpTo = batch.sequence;
      this.#inFlight += 1;
    }
    this.#send({ sequence: 0, coveredUntilUs: this.#queue.coveredUntilUs, packed: emptyBatch });
  }

  /** Waits until all batches are acknowledged, at most `timeoutMs`; then ends the stream. */
  async close(timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (this.#queue.unacknowledged.batches > 0 && Date.now() < deadline) {
      this.flush();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#call?.end();
    this.#client.close();
  }

  #send({ sequence, coveredUntilUs, packed }: OutgoingBatch): void {
    const { node, instance, nowUs } = this.#options;
    const state = this.#options.state();
    const changed = state !== this.#sentState;
    this.#sentState = state;
    const envelope = {
      node,
      instance,
      sequence,
      sentUs: nowUs(),
      coveredUntilUs,
      state: changed ? state : null,
      records: null,
      names: null,
    };
    this.#call!.write({ envelope, packed });
  }

  #open(): void {
    const { path, responseDeserialize } = flowIngestDefinition().Stream;
    const serialize = ({ envelope, packed }: StreamMessage) => serializeWithPacked(envelope, packed);
    const call = this.#client.makeBidiStreamRequest(path, serialize, responseDeserialize);
    this.#call = call;
    this.#sentUpTo = 0;
    this.#inFlight = 0;
    this.#sentState = undefined;
    call.on('data', (ack: Ack) => this.#onAck(ack));
    call.on('error', (error: ServiceError) => this.#onStreamLost(call, error));
    call.on('end', () => this.#onStreamLost(call, undefined));
    this.flush();
  }

  #onAck(ack: Ack): void {
    if (this.#loggedFailure !== '') this.#log.info({ address: this.#options.address }, 'collector reachable again');
    this.#loggedFailure = '';
    this.#retryMs = backoffMs.initial;
    // Sequence 0 acknowledges no batch: the collector accepted the stream.
    if (ack.sequence === 0) {
      this.#options.onConnected();
      return;
    }
    this.#inFlight -= 1;
    if (ack.refused === '') {
      this.#queue.acknowledge(ack.sequence);
    } else {
      this.#log.error(
        { sequence: ack.sequence, reason: ack.refused },
        'collector refused a batch, its records are lost',
      );
      this.#queue.reject(ack.sequence);
    }
    if (this.#inFlight === maxInFlight - 1) this.flush();
  }

  #onStreamLost(call: ClientDuplexStream<StreamMessage, Ack>, error: ServiceError | undefined): void {
    if (this.#call !== call || this.#closed) return;
    this.#call = undefined;
    const { reason, fix } = streamFailure(error);
    if (this.#loggedFailure !== reason) {
      this.#log.warn({ address: this.#options.address, reason, fix }, 'collector unreachable, retrying');
    }
    this.#loggedFailure = reason;
    this.#retryTimer = setTimeout(() => this.#open(), this.#retryMs * (0.5 + Math.random()));
    this.#retryMs = Math.min(this.#retryMs * 2, backoffMs.max);
  }
}
