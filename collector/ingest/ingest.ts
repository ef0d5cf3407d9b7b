// Receives the streams of the agents. Each certificate of a node may have a few connections and streams; what they send is
// read in turns (flow-control.ts).
import { createServer, type Server as TlsServer } from 'node:tls';
import { type handleBidiStreamingCall, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { nodeOfCertificate } from '../../certs/node-name.ts';
import type { TlsCredentials } from '../../certs/read.ts';
import { cannotListen } from '../../config/errors.ts';
import { ProblemError } from '../../model/problem.ts';
import { reasonOf } from '../../model/reason.ts';
import { type Ack, flowIngestDefinition } from '../../proto/wire.ts';
import { AgentStream, type BatchSink, type IngestParts } from './agent-stream.ts';
import type { Agents } from './agents.ts';
import { type ConnectionLimits, limitConnections, mutualTls } from './connection-limits.ts';
import { FairTurns } from './fair-turns.ts';
import { FlowControl, type FlowLimits, flowLimits } from './flow-control.ts';
import { messageGate, type SilenceLimits, silenceLimits } from './message-gate.ts';
import { ThrottledLog } from './throttled-log.ts';

export type { BatchSink, IngestedBatch } from './agent-stream.ts';

export type IngestOptions = {
  /** host:port; port 0 takes a free one. */
  listen: string;
  tls: TlsCredentials;
  maxBatchRecords: number;
  maxAgents: number;
  /** Records per second of one agent, on average. */
  maxAgentRate: number;
  nowUs: () => number;
  /** For tests. */
  limits?: Partial<FlowLimits & SilenceLimits & ConnectionLimits>;
};

export type IngestServer = { port: number; streamsRefused: () => number; stop(): Promise<void> };

/** An agent has one stream, and a second one while it connects again. */
const maxStreamsPerNode = 4;
const maxMessageBytes = 16 * 2 ** 20;
/** A connection without a stream is closed. */
const maxIdleMs = 60_000;
const connectionLimits = { maxHandshakes: 500, maxPerPeer: 8 };

/** Resolves when it listens; rejects with a ProblemError if the port is in use or a certificate is invalid. */
export async function serveIngest(
  options: IngestOptions,
  agents: Agents,
  sink: BatchSink,
  log: Logger,
): Promise<IngestServer> {
  const { maxAgents, maxAgentRate, maxBatchRecords, nowUs } = options;
  const limits = { ...flowLimits, ...silenceLimits, maxAgentRate, ...options.limits };
  const turns = new FairTurns();
  const flow = new FlowControl(limits, turns, () => performance.now());
  const refusals = new ThrottledLog(log, nowUs);
  const parts: IngestParts = { agents, sink, flow, turns, maxBatchRecords, nowUs, log, refusals };
  const streams = new StreamsByNode();
  let refused = 0;
  const serve: handleBidiStreamingCall<Buffer, Ack> = (call) => {
    const node = nodeOfCertificate(call.getAuthContext().sslPeerCertificate?.raw);
    if (node === undefined || streams.size >= maxAgents) {
      refused += 1;
      const reason =
        node === undefined ? 'the certificate names no node' : `more than ${maxAgents} agents (ingest.maxAgents)`;
      refusals.warn(`stream ${node ?? ''}`, { address: call.getPeer(), reason }, 'stream refused');
      call.emit('error', {
        code: node === undefined ? status.PERMISSION_DENIED : status.RESOURCE_EXHAUSTED,
        details: reason,
      });
      return;
    }
    const stream = new AgentStream(node, call, parts);
    streams.add(node, stream);
    stream.run().then((ended) => {
      if (ended === 'refused') refused += 1;
      if (streams.remove(node, stream) === 0) flow.forget(node);
    });
  };
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_concurrent_streams': maxStreamsPerNode,
    'grpc.max_connection_idle_ms': maxIdleMs,
    'grpc.keepalive_time_ms': 10_000,
    interceptors: [messageGate(flow, limits)],
  });
  const { Stream } = flowIngestDefinition();
  const bytesOf = (message: Buffer) => message;
  server.addService({ Stream: { ...Stream, requestDeserialize: bytesOf } }, { Stream: serve });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = tlsListener(options.tls);
  limitConnections(
    listener,
    { ...connectionLimits, maxConnections: maxAgents + maxStreamsPerNode, ...options.limits },
    (socket) => nodeOfCertificate(socket.getPeerCertificate().raw) ?? '',
  );
  listener.on('secureConnection', (socket) => injector.injectConnection(socket));
  const port = await listen(listener, options.listen);
  return {
    port,
    streamsRefused: () => refused,
    stop: () =>
      new Promise((resolve) => {
        listener.close();
        server.tryShutdown(() => resolve());
        setTimeout(() => server.forceShutdown(), 500).unref();
      }),
  };
}

/** The newest streams of each node. */
class StreamsByNode {
  readonly #streams = new Map<string, Set<AgentStream>>();
  size = 0;

  /** Ends the oldest stream of the node if there are too many: its connection may be broken without a sign. */
  add(node: string, stream: AgentStream): void {
    const own = this.#streams.get(node) ?? new Set();
    this.#streams.set(node, own.add(stream));
    this.size += 1;
    const [oldest] = own;
    if (own.size > maxStreamsPerNode)
      oldest!.end(status.RESOURCE_EXHAUSTED, `more than ${maxStreamsPerNode} streams of node ${node}`);
  }

  /** Returns how many streams the node still has. */
  remove(node: string, stream: AgentStream): number {
    const own = this.#streams.get(node);
    if (own?.delete(stream)) this.size -= 1;
    if (own?.size === 0) this.#streams.delete(node);
    return own?.size ?? 0;
  }
}

function tlsListener(tls: TlsCredentials): TlsServer {
  return createServer({ ...mutualTls(tls), ALPNProtocols: ['h2'] });
}

function listen(server: TlsServer, address: string): Promise<number> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new ProblemError(cannotListen('ingest.listen', address, reasonOf(error)))));
    server.listen({ host, port: Number(address.slice(colon + 1)) }, () => {
      resolve((server.address() as { port: number }).port);
    });
  });
}
