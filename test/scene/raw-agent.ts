// A peer of the collector with the certificate of a node. It sends exactly the messages that a test wants, over gRPC and
// mutual TLS, whether they are true or not.
import { Client, type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import type { Test } from 'tap';
import type { TlsCredentials } from '../../certs/read.ts';
import { encodeRecords } from '../../proto/encode.ts';
import {
  type Ack,
  type AgentState,
  type FlowBatch,
  flowIngestDefinition,
  type WireInterface,
} from '../../proto/wire.ts';
import { t0 } from './records.ts';
import { until } from './until.ts';

export const emptyState: AgentState = {
  version: '0.1.0',
  source: 'ebpf',
  sourceReason: '',
  interfaces: [],
  accounting: null,
  nodeAddresses: [],
  notWatched: [],
  coverage: null,
};

/** A watched interface that sees both directions. */
export function wireInterface(change: Partial<WireInterface> = {}): WireInterface {
  return {
    index: 7,
    name: 'veth7',
    podUid: '',
    addresses: [],
    watchedSinceUs: t0 - 60_000_000,
    seesFromPod: true,
    seesToPod: true,
    goneUs: 0,
    gapFreeSinceUs: 0,
    ...change,
  };
}

export class RawAgent {
  readonly acks: Ack[] = [];
  /** Of the end of the stream: undefined while it is open, null if the collector ended it without an error. */
  error: ServiceError | null | undefined;
  readonly node: string;
  readonly instance: string;
  readonly #call: ClientDuplexStream<FlowBatch | Buffer, Ack>;
  #sequence = 0;

  constructor(t: Test, port: number, tls: TlsCredentials, node: string, instance = 'one') {
    this.node = node;
    this.instance = instance;
    const client = new Client(`localhost:${port}`, credentials.createSsl(tls.ca, tls.key, tls.cert), {
      'grpc.max_send_message_length': -1,
      // Each agent has its own connection, as if on its own node.
      'grpc.use_local_subchannel_pool': 1,
    });
    const { path, requestSerialize, responseDeserialize } = flowIngestDefinition().Stream;
    const serialize = (message: FlowBatch | Buffer) => (Buffer.isBuffer(message) ? message : requestSerialize(message));
    this.#call = client.makeBidiStreamRequest(path, serialize, responseDeserialize);
    this.#call.on('data', (ack: Ack) => this.acks.push(ack));
    this.#call.on('error', (error: ServiceError) => {
      this.error = error;
    });
    this.#call.on('end', () => {
      this.error ??= null;
    });
    t.teardown(() => {
      this.#call.cancel();
      client.close();
    });
  }

  /** Sends one message with the next sequence number; returns that number. */
  send(message: Partial<FlowBatch> = {}): number {
    const sequence = message.sequence ?? this.#sequence + 1;
    this.#sequence = Math.max(this.#sequence, sequence);
    this.#call.write({
      node: this.node,
      instance: this.instance,
      sequence,
      sentUs: t0,
      coveredUntilUs: t0,
      state: null,
      records: encodeRecords([]),
      names: null,
      ...message,
    });
    return sequence;
  }

  /** Sends these bytes as a message. */
  sendBytes(bytes: Buffer): void {
    this.#call.write(bytes);
  }

  /** Sends a message without records, which the collector does not acknowledge. */
  heartbeat(message: Partial<FlowBatch> = {}): void {
    this.send({ sequence: 0, records: null, ...message });
  }

  /** The answer to a batch: empty if it was accepted, else why it was refused. */
  async answer(sequence: number): Promise<string> {
    const found = () => this.acks.find((ack) => ack.sequence === sequence);
    await until(`batch ${sequence} of ${this.node} is answered`, () => {
      if (this.error !== undefined) throw new Error(`the stream ended: ${this.error?.message ?? 'without an error'}`);
      return found() !== undefined;
    });
    return found()!.refused;
  }

  /** Messages that gRPC keeps because the collector does not read them. */
  get unsent(): number {
    return this.#call.writableLength;
  }

  end(): void {
    this.#call.end();
  }
}
