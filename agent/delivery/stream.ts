// The agent's stream to the collector: batches up, acknowledgements down. After a break everything not acknowledged is
// sent again; the collector drops what it has stored before.
import { Client, type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { type PackedBatch, serializeWithPacked } from '../../proto/pack.ts';
import { type Ack, type AgentState, type FlowBatch, flowIngestDefinition } from '../../proto/wire.ts';
import { breakOf } from './break.ts';
import type { BatchQueue, QueuedBatch } from './queue.ts';

export type Tls = { ca: Buffer; cert: Buffer; key: Buffer };
export type StreamOptions = {
  node: string;
  instance: string;
  /** host:port; the certificate of the collector must name the host. */
  address: string;
  tls: Tls;
  nowUs: () => number;
  /** What is told of the agent; a new object whenever something changed. */
  state: () => AgentState;
  /** The collector answers on a new stream: it may have begun anew. */
  taken: () => void;
};

type Sent = Pick<QueuedBatch, 'sequence' | 'coveredUntilUs' | 'packed'>;
type Message = { envelope: FlowBatch; packed: PackedBatch };

const nothing: PackedBatch = Buffer.alloc(0);

/** Batches sent and not acknowledged, at most: the collector's memory is bounded by it. */
const maxInFlight = 16;
const backoffMs = { first: 250, most: 10_000 };

export class CollectorStream {
  readonly #options: StreamOptions;
  readonly #queue: BatchQueue;
  readonly #log: Logger;
  readonly #client: Client;
  #call: ClientDuplexStream<Message, Ack> | undefined;
  #sentUpTo = 0;
  #inFlight = 0;
  #sentState: AgentState | undefined;
  #retryMs = backoffMs.first;
  #retryTimer: NodeJS.Timeout | undefined;
  #complained = '';
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
    return this.#call !== undefined && this.#complained === '';
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
    this.#send({ sequence: 0, coveredUntilUs: this.#queue.coveredUntilUs, packed: nothing });
  }

  /** Waits until everything is acknowledged, at most `patienceMs`; then ends the stream. */
  async close(patienceMs: number): Promise<void> {
    const deadline = Date.now() + patienceMs;
    while (this.#queue.unacknowledged.batches > 0 && Date.now() < deadline) {
      this.flush();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#call?.end();
    this.#client.close();
  }

  #send({ sequence, coveredUntilUs, packed }: Sent): void {
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
    const serialize = ({ envelope, packed }: Message) => serializeWithPacked(envelope, packed);
    const call = this.#client.makeBidiStreamRequest(path, serialize, responseDeserialize);
    this.#call = call;
    this.#sentUpTo = 0;
    this.#inFlight = 0;
    this.#sentState = undefined;
    call.on('data', (ack: Ack) => this.#received(ack));
    call.on('error', (error: ServiceError) => this.#lost(call, error));
    call.on('end', () => this.#lost(call, undefined));
    this.flush();
  }

  #received(ack: Ack): void {
    if (this.#complained !== '') this.#log.info({ collector: this.#options.address }, 'the collector answers again');
    this.#complained = '';
    this.#retryMs = backoffMs.first;
    // An acknowledgement of sequence 0 says only that the collector listens.
    if (ack.sequence === 0) {
      this.#options.taken();
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
      this.#queue.refuse(ack.sequence);
    }
    if (this.#inFlight === maxInFlight - 1) this.flush();
  }

  #lost(call: ClientDuplexStream<Message, Ack>, error: ServiceError | undefined): void {
    if (this.#call !== call || this.#closed) return;
    this.#call = undefined;
    const { why, mend } = breakOf(error);
    if (this.#complained !== why) {
      this.#log.warn(
        { collector: this.#options.address, why, mend },
        'no stream to the collector: records are kept and sent later',
      );
    }
    this.#complained = why;
    this.#retryTimer = setTimeout(() => this.#open(), this.#retryMs * (0.5 + Math.random()));
    this.#retryMs = Math.min(this.#retryMs * 2, backoffMs.most);
  }
}
