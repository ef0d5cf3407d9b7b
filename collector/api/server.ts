// The HTTP API: findings, connections and status with a client certificate; health without.
import { createSecureContext, type TLSSocket, type Server as TlsServer } from 'node:tls';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { alternativeNames } from '../../certs/alternative-names.ts';
import { nodeUriPrefix } from '../../certs/node-name.ts';
import type { TlsCredentials } from '../../certs/read.ts';
import { cannotListen } from '../../config/errors.ts';
import type { Connection } from '../../model/connection.ts';
import { escapeJson } from '../../model/escape.ts';
import type { Finding } from '../../model/finding.ts';
import { connectionJson, findingJson } from '../../model/json.ts';
import { type Problem, ProblemError, problemLine } from '../../model/problem.ts';
import { reasonOf } from '../../model/reason.ts';
import { limitConnections, mutualTls, WaitingConnections } from '../ingest/connection-limits.ts';
import { fairFindings } from '../store/fair-findings.ts';
import type { ListQuery } from '../store/store.ts';
import { answerLimits, ConcurrencyLimit, jsonArray } from './answers.ts';
import { type ApiDataSource, type FollowerCounts, heartbeatHeader, moreHeader, type StatusJson } from './api.ts';
import {
  agentCertificate,
  certificateUnusable,
  clientNotAllowed,
  tooManyFollowers,
  tooManyRequests,
} from './errors.ts';
import { Followers, followLimits } from './follow.ts';
import { isProblem, type RawParameters, readParameters } from './parameters.ts';

export type ApiOptions = {
  /** host:port; port 0 takes a free one. */
  listen: string;
  tls: TlsCredentials;
  healthListen: string;
  /** Names of certificates that may use the API. */
  clients: readonly string[];
  /** For tests; default: follow.ts. */
  follow?: typeof followLimits;
  /** For tests; default: answers.ts. */
  answers?: typeof answerLimits;
};

export type Readiness = () => { ready: boolean; reason: string };
export type Api = { port: number; healthPort: number; followers(): FollowerCounts; close(): Promise<void> };

const connectionLimits = { maxHandshakes: 200, maxConnections: 500, maxPerPeer: 200 };
/** Connections to the health port that have not sent a request. */
const maxHealthWaiting = 100;
const maxAnswerMs = 60_000;
const maxIdleMs = 60_000;

/** Rejects with a ProblemError if it cannot listen. */
export async function serveApi(
  options: ApiOptions,
  dataSource: ApiDataSource,
  readiness: Readiness,
  log: Logger,
): Promise<Api> {
  const onUnreadable = (error: unknown) => log.error({ reason: reasonOf(error) }, 'item cannot be shown, left out');
  const followers = new Followers(dataSource, options.follow ?? followLimits, onUnreadable);
  const api = secureServer(options);
  const limits = options.answers ?? answerLimits;
  const clientOf = (request: FastifyRequest) =>
    clientNames(request.raw.socket as TLSSocket).find((name) => options.clients.includes(name)) ?? '';
  const parts: ServerParts = { followers, turns: new ConcurrencyLimit(limits), limits, clientOf, onUnreadable };
  api.get('/v1/findings', (request, reply) => {
    const list = {
      of: 'findings' as const,
      read: (query: ListQuery) => dataSource.findings(query),
      first: (findings: readonly Finding[], last: number) => fairFindings(findings, last, (one) => one.lastSeenUs),
      json: findingJson,
    };
    return answerList(parts, request, reply, list);
  });
  api.get('/v1/flows', (request, reply) => {
    const list = {
      of: 'flows' as const,
      read: (query: ListQuery) => dataSource.connections(query),
      first: (connections: readonly Connection[], last: number) => connections.slice(0, last),
      json: connectionJson,
    };
    return answerList(parts, request, reply, list);
  });
  api.get(
    '/v1/status',
    async (): Promise<StatusJson> => ({ ...(await dataSource.status()), followers: followers.counts }),
  );
  api.setErrorHandler((error, request, reply) => {
    const reason = error instanceof Error ? error.message : String(error);
    log.error({ path: request.url, reason }, 'request failed');
    reply.code(500).send({ error: 'internal error; see the log of the collector' });
  });
  api.setNotFoundHandler((_, reply) => {
    reply.code(404).send({ error: 'unknown path; use /v1/findings, /v1/flows or /v1/status' });
  });
  const health = Fastify({ logger: false, forceCloseConnections: true, requestTimeout: maxIdleMs });
  const waiting = new WaitingConnections(maxHealthWaiting);
  health.server.on('connection', (socket) => waiting.add(socket));
  health.addHook('onRequest', async (request) => waiting.finished(request.raw.socket));
  health.get('/healthz', async () => 'alive\n');
  health.get('/readyz', async (_, reply) => {
    const { ready, reason } = readiness();
    return reply.code(ready ? 200 : 503).send(`${reason}\n`);
  });
  const port = await listenOn(api, 'api.listen', options.listen);
  const healthPort = await listenOn(health as unknown as FastifyInstance, 'health.listen', options.healthListen).catch(
    async (error: unknown) => {
      await api.close();
      throw error;
    },
  );
  return {
    port,
    healthPort,
    followers: () => followers.counts,
    close: async () => {
      followers.end();
      await Promise.all([api.close(), health.close()]);
    },
  };
}

/** Certificates of agents and of others have the same CA, but may not read the API. */
function secureServer({ tls: { ca, cert, key }, clients }: ApiOptions): FastifyInstance {
  try {
    createSecureContext({ ca, cert, key });
  } catch (error) {
    throw new ProblemError(certificateUnusable(error as Error));
  }
  const server = Fastify({
    logger: false,
    https: mutualTls({ ca, cert, key }),
    connectionTimeout: maxIdleMs,
    requestTimeout: maxIdleMs,
    forceCloseConnections: true,
    bodyLimit: 1024,
  }) as unknown as FastifyInstance;
  limitConnections(server.server as unknown as TlsServer, connectionLimits, (socket) => clientNames(socket).join());
  server.setReplySerializer((value) => escapeJson(JSON.stringify(value)));
  server.addHook('onRequest', async (request, reply) => {
    const names = clientNames(request.raw.socket as TLSSocket);
    if (names.some((name) => name.startsWith(nodeUriPrefix))) return refuse(reply, 403, agentCertificate());
    if (!names.some((name) => clients.includes(name))) return refuse(reply, 403, clientNotAllowed(names));
  });
  return server;
}

function clientNames(socket: TLSSocket): string[] {
  return alternativeNames(socket.getPeerCertificate().raw).map(({ value }) => value);
}

async function listenOn(server: FastifyInstance, setting: string, listen: string): Promise<number> {
  const colon = listen.lastIndexOf(':');
  const host = listen.slice(0, colon).replace(/^\[|\]$/g, '');
  try {
    await server.listen({ host, port: Number(listen.slice(colon + 1)) });
  } catch (error) {
    throw new ProblemError(cannotListen(setting, listen, error instanceof Error ? error.message : String(error)));
  }
  const address = server.server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

type ServerParts = {
  followers: Followers;
  turns: ConcurrencyLimit;
  limits: typeof answerLimits;
  /** The name in `api.clients` that the certificate has. */
  clientOf(request: FastifyRequest): string;
  onUnreadable: (error: unknown) => void;
};

type List<Item> = {
  of: 'findings' | 'flows';
  read(query: ListQuery): Promise<readonly Item[]>;
  /** The items that are shown if there are more than `last`. */
  first(items: readonly Item[], last: number): readonly Item[];
  json(item: Item): object;
};

async function answerList<Item>(
  { followers, turns, limits, clientOf, onUnreadable }: ServerParts,
  request: FastifyRequest,
  reply: FastifyReply,
  { of, read, first, json }: List<Item>,
): Promise<FastifyReply> {
  const listRequest = readParameters(of, request.query as RawParameters, Date.now() * 1000);
  if (isProblem(listRequest)) return refuse(reply, 400, listRequest);
  const { query, follow } = listRequest;
  if (follow) return answerFollower(followers, clientOf(request), request, reply, of, query);
  const slot = await turns.acquire(clientOf(request));
  if (slot === undefined) return refuse(reply, 503, tooManyRequests(limits.maxWaiting));
  reply.raw.once('close', slot.release);
  if (reply.raw.destroyed) {
    slot.release();
    return reply.hijack();
  }
  // One more than requested, to know whether there are more.
  const items = await read({ ...query, last: query.last + 1 }).finally(slot.readDone);
  if (items.length > query.last) reply.header(moreHeader, 'true');
  const shown = first(items, query.last);
  const stalled = setTimeout(() => request.raw.socket.destroy(), limits.maxStallMs).unref();
  reply.raw.once('close', () => clearTimeout(stalled));
  // After the close, a refresh would start the timer again.
  const onChunk = () => {
    if (!reply.raw.destroyed) stalled.refresh();
  };
  return reply.type('application/json').send(jsonArray(shown, json, maxAnswerMs, onChunk, onUnreadable));
}

function answerFollower(
  followers: Followers,
  client: string,
  request: FastifyRequest,
  reply: FastifyReply,
  of: 'findings' | 'flows',
  query: ListQuery,
): FastifyReply {
  const limit = followers.reachedLimit(client);
  if (limit !== undefined) return refuse(reply, 503, tooManyFollowers(limit));
  const withHeartbeat = request.headers[heartbeatHeader] !== undefined;
  const stream = followers.follow(of === 'findings' ? 'finding' : 'connection', query, withHeartbeat, client);
  reply.raw.once('close', () => stream.destroy());
  // No idle timeout, because there may be no change for hours. TCP keep-alive detects a reader that is gone.
  request.raw.socket.setTimeout(0);
  request.raw.socket.setKeepAlive(true, 30_000);
  // Send the headers at once, so that the reader knows that it follows before the first change.
  reply.raw.setHeader('content-type', 'application/jsonl');
  if (withHeartbeat) reply.raw.setHeader(heartbeatHeader, 'blank-lines');
  reply.raw.flushHeaders();
  return reply.send(stream);
}

function refuse(reply: FastifyReply, code: number, problem: Problem): FastifyReply {
  return reply.code(code).send({ error: problemLine(problem) });
}
