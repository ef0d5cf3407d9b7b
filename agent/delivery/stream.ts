// The agent's stream to the collector: batches up, acknowledgements down. After a break everything not acknowledged is
// sent again; the collector drops what it has stored before.
import { Client, type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { type PackedBatch, serializeWithPacked } from '../../proto/pack.ts';
import { type Ack, type AgentState, type FlowBatch, flowIngestDefinition } from '../../proto/wire.ts';
import type { BatchQueue, QueuedBatch } from './queue.ts';
import { streamFailure } from './stream-failure.ts';

export type TlsCredentials = { ca: Buffer; cert: Buffer; key: Buffer };
export type StreamOptions = {
  node: string;
  instance: string;
  /** host:port; the certificate of the collector must name the host. */
  address: string;
  tls: TlsCredentials;
  nowUs: () => number;
  /** What is told of the agent; a new object whenever something changed. */
  state: () => AgentState;
  /** The collector answers on a new stream: it may have begun anew. */
  onConnected: () => void;
};

type OutgoingBatch = Pick<QueuedBatch, 'sequence' | 'coveredUntilUs' | 'packed'>;
type StreamMessage = { envelope: FlowBatch; packed: PackedBatch };

const emptyBatch: PackedBatch = Buffer.alloc(0);

/** Batches sent and not acknowledged, at most: the collector's memory is bounded by it. */
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

  /** Sends what is new, then a heartbeat, which tells how far the books reach. */
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

  /** Waits until everything is acknowledged, at most `patienceMs`; then ends the stream. */
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
    if (this.#loggedFailure !== '') this.#log.info({ collector: this.#options.address }, 'the collector answers again');
    this.#loggedFailure = '';
    this.#retryMs = backoffMs.initial;
    // An acknowledgement of sequence 0 says only that the collector listens.
    if (ack.sequence === 0) {
      this.#options.onConnected();
      return;
    }
    this.#inFlight -= 1;
    if (ack.refused === '') {
      this.#queue.acknowledge(ack.sequence);
    } else {
      this.#log.error(
        { sequence: ack.sequence, why: ack.refused },
        'the collector refused a batch: its records are lost',
      );
      this.#queue.reject(ack.sequence);
    }
    if (this.#inFlight === maxInFlight - 1) this.flush();
  }

  #onStreamLost(call: ClientDuplexStream<StreamMessage, Ack>, error: ServiceError | undefined): void {
    if (this.#call !== call || this.#closed) return;
    this.#call = undefined;
    const { why, fix } = streamFailure(error);
    if (this.#loggedFailure !== why) {
      this.#log.warn(
        { collector: this.#options.address, why, fix },
        'no stream to the collector: records are kept and sent later',
      );
    }
    this.#loggedFailure = why;
    this.#retryTimer = setTimeout(() => this.#open(), this.#retryMs * (0.5 + Math.random()));
    this.#retryMs = Math.min(this.#retryMs * 2, backoffMs.max);
  }
}
