// The agent's stream to the collector: batches up, acknowledgements down. Batches are sent after the collector answered, so
// the time at which a batch was sent is not that of a connection attempt. After a break the agent sends every batch again that
// was not acknowledged; the collector drops batches that it has stored already.
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
  /** The node's wall clock minus `nowUs`; by default there is no difference. */
  wallOffsetUs?: () => number;
  /** The agent's report about itself; a new object if something changed. */
  state: () => AgentState;
  /** The collector answers on a new stream: it may have restarted. */
  onConnected: () => void;
};

type OutgoingBatch = Pick<QueuedBatch, 'sequence' | 'coveredUntilUs' | 'packed'>;
type StreamMessage = { envelope: FlowBatch; packed: PackedBatch };

const emptyBatch: PackedBatch = Buffer.alloc(0);
/** Covers nothing: the batches before it are not sent yet. */
const firstMessage: OutgoingBatch = { sequence: 0, coveredUntilUs: 0, packed: emptyBatch };

/** Batches that are sent and not acknowledged. This bounds the collector's memory. */
const maxInFlight = 16;
const backoffMs = { initial: 250, max: 10_000 };
/** How long the end of the stream may take after the last batch was acknowledged. */
const maxEndMs = 1_000;

export class CollectorStream {
  readonly #options: StreamOptions;
  readonly #queue: BatchQueue;
  readonly #log: Logger;
  readonly #client: Client;
  #call: ClientDuplexStream<StreamMessage, Ack> | undefined;
  #sentUpTo = 0;
  #inFlight = 0;
  /** Messages of the collector on this stream, and when the latest came. */
  #acks = { count: 0, latestUs: 0 };
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

  /** Sends the new batches, then a heartbeat with the time until which all packets are covered. */
  flush(): void {
    if (this.#call === undefined || this.#acks.count === 0) return;
    for (const batch of this.#queue.after(this.#sentUpTo, maxInFlight - this.#inFlight)) {
      this.#send(batch);
      this.#sentUpTo = batch.sequence;
      this.#inFlight += 1;
    }
    if (this.#queue.hasAfter(this.#sentUpTo)) return;
    this.#send({ sequence: 0, coveredUntilUs: this.#queue.coveredUntilUs, packed: emptyBatch });
  }

  /**
   * Waits until all batches are acknowledged, at most `timeoutMs`; then ends the stream. If all are, the collector knows that
   * the agent stopped and lost nothing.
   */
  async close(timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (this.#queue.unacknowledged.batches > 0 && performance.now() < deadlineMs) {
      this.flush();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    const call = this.#call;
    if (call !== undefined && this.#acks.count > 0 && this.#queue.unacknowledged.batches === 0) {
      const state = { ...this.#options.state(), stopped: true };
      this.#send({ sequence: 0, coveredUntilUs: this.#queue.coveredUntilUs, packed: emptyBatch }, state);
      call.end();
      await ended(call, maxEndMs);
    } else call?.end();
    this.#client.close();
  }

  #send({ sequence, coveredUntilUs, packed }: OutgoingBatch, state = this.#options.state()): void {
    const { node, instance, nowUs, wallOffsetUs = () => 0 } = this.#options;
    const changed = state !== this.#sentState;
    this.#sentState = state;
    const sentUs = nowUs();
    const envelope = {
      node,
      instance,
      sequence,
      sentUs,
      coveredUntilUs,
      state: changed ? state : null,
      records: null,
      names: null,
      clock: {
        wallUs: sentUs + wallOffsetUs(),
        acks: this.#acks.count,
        sinceAckUs: this.#acks.count === 0 ? 0 : sentUs - this.#acks.latestUs,
      },
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
    this.#acks = { count: 0, latestUs: 0 };
    this.#sentState = undefined;
    call.on('data', (ack: Ack) => this.#onAck(ack));
    call.on('error', (error: ServiceError) => this.#onStreamLost(call, error));
    call.on('end', () => this.#onStreamLost(call, undefined));
    this.#send(firstMessage);
  }

  #onAck(ack: Ack): void {
    this.#acks = { count: this.#acks.count + 1, latestUs: this.#options.nowUs() };
    if (this.#loggedFailure !== '') this.#log.info({ address: this.#options.address }, 'collector reachable again');
    this.#loggedFailure = '';
    this.#retryMs = backoffMs.initial;
    // Sequence 0 acknowledges no batch: the collector accepted the stream, and later it answers heartbeats.
    if (ack.sequence === 0) {
      if (this.#acks.count === 1) this.#onAccepted();
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

  #onAccepted(): void {
    // The collector knows the agent's clock only now, and with it the times in the state.
    this.#sentState = undefined;
    this.#options.onConnected();
    this.flush();
  }

  #onStreamLost(call: ClientDuplexStream<StreamMessage, Ack>, error: ServiceError | undefined): void {
    if (this.#call !== call || this.#closed) return;
    this.#call = undefined;
    this.#queue.streamEnded();
    const { reason, fix } = streamFailure(error);
    if (this.#loggedFailure !== reason) {
      this.#log.warn({ address: this.#options.address, reason, fix }, 'collector unreachable, retrying');
    }
    this.#loggedFailure = reason;
    this.#retryTimer = setTimeout(() => this.#open(), this.#retryMs * (0.5 + Math.random()));
    this.#retryMs = Math.min(this.#retryMs * 2, backoffMs.max);
  }
}

/** Resolves when the collector ended the stream too, or after `timeoutMs`. */
function ended(call: ClientDuplexStream<StreamMessage, Ack>, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    call.once('status', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
