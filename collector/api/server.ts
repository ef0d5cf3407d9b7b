// The HTTP API: findings, connections and status for those who hold a certificate, health for everyone.
import { Readable } from 'node:stream';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { connectionJson, findingJson } from '../../model/json.ts';
import { ProblemError, problemLine } from '../../model/problem.ts';
import { listenProblem } from '../ingest/errors.ts';
import type { ApiAnswers, Change } from './api.ts';
import { followerTooSlow } from './errors.ts';
import { matches } from './matches.ts';
import { isProblem, readParameters } from './parameters.ts';

export type ApiOptions = {
  /** host:port; port 0 takes a free one. */
  listen: string;
  tls: { ca: Buffer; cert: Buffer; key: Buffer };
  healthListen: string;
};

export type Readiness = () => { ready: boolean; why: string };
export type Api = { port: number; healthPort: number; followersDropped(): number; close(): Promise<void> };

/** Lines that a follower may be behind: one that reads no more is ended, so that nothing waits for it. */
const linesBehindMost = 10_000;

/** Rejects with a ProblemError where it cannot listen. */
export async function serveApi(
  options: ApiOptions,
  answers: ApiAnswers,
  readiness: Readiness,
  log: Logger,
): Promise<Api> {
  const { ca, cert, key } = options.tls;
  const followers = { dropped: 0 };
  const api = Fastify({
    logger: false,
    https: { ca, cert, key, requestCert: true, rejectUnauthorized: true },
    forceCloseConnections: true,
    bodyLimit: 1024,
  }) as unknown as FastifyInstance;
  for (const [path, type] of [
    ['/v1/findings', 'finding'],
    ['/v1/flows', 'connection'],
  ] as const) {
    api.get(path, (request, reply) => answerList(type, request, reply, answers, followers));
  }
  api.get('/v1/status', () => answers.status());
  api.setErrorHandler((error, request, reply) => {
    const why = error instanceof Error ? error.message : String(error);
    log.error({ path: request.url, why }, 'a request could not be answered');
    reply.code(500).send({ error: 'the collector could not answer; its log says why' });
  });
  api.setNotFoundHandler((_, reply) => {
    reply.code(404).send({ error: 'there are /v1/findings, /v1/flows and /v1/status' });
  });
  const health = Fastify({ logger: false, forceCloseConnections: true });
  health.get('/healthz', async () => 'alive\n');
  health.get('/readyz', async (_, reply) => {
    const { ready, why } = readiness();
    return reply.code(ready ? 200 : 503).send(`${why}\n`);
  });
  const port = await listenOn(api, 'api.listen', options.listen);
  const healthPort = await listenOn(health as unknown as FastifyInstance, 'health.listen', options.healthListen);
  return {
    port,
    healthPort,
    followersDropped: () => followers.dropped,
    close: async () => {
      await Promise.all([api.close(), health.close()]);
    },
  };
}

async function listenOn(server: FastifyInstance, setting: string, listen: string): Promise<number> {
  const colon = listen.lastIndexOf(':');
  const host = listen.slice(0, colon).replace(/^\[|\]$/g, '');
  try {
    await server.listen({ host, port: Number(listen.slice(colon + 1)) });
  } catch (error) {
    throw new ProblemError(listenProblem(setting, listen, error instanceof Error ? error.message : String(error)));
  }
  const address = server.server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function answerList(
  type: Change['type'],
  request: FastifyRequest,
  reply: FastifyReply,
  answers: ApiAnswers,
  followers: { dropped: number },
): Promise<FastifyReply> {
  const asked = readParameters(request.query as Record<string, unknown>);
  if (isProblem(asked)) return reply.code(400).send({ error: problemLine(asked) });
  const { query, follow } = asked;
  if (!follow) {
    const list =
      type === 'finding'
        ? (await answers.findings(query)).map(findingJson)
        : (await answers.connections(query)).map(connectionJson);
    return reply.send(list);
  }
  const lines = new FollowedLines(followers);
  // Subscribed before the store is asked: what changes meanwhile is told twice rather than never.
  const unsubscribe = answers.subscribe((change) => {
    if (change.type === type && matches(change, query)) lines.add(lineOf(change));
  });
  request.raw.once('close', () => {
    unsubscribe();
    lines.destroy();
  });
  lines.once('close', unsubscribe);
  const former: Change[] =
    type === 'finding'
      ? (await answers.findings(query)).map((finding) => ({ type: 'finding', finding }))
      : (await answers.connections(query)).map((connection) => ({ type: 'connection', connection }));
  for (const change of former.reverse()) lines.add(lineOf(change));
  return reply.type('application/jsonl').send(lines);
}

function lineOf(change: Change): string {
  const json = change.type === 'finding' ? findingJson(change.finding) : connectionJson(change.connection);
  return `${JSON.stringify(json)}\n`;
}

/** Lines as they come, kept only so far behind. */
class FollowedLines extends Readable {
  readonly #waiting: string[] = [];
  readonly #followers: { dropped: number };
  #wanted = false;
  #over = false;

  constructor(followers: { dropped: number }) {
    super({ encoding: 'utf8', highWaterMark: 64 * 1024 });
    this.#followers = followers;
  }

  add(line: string): void {
    if (this.#over) return;
    this.#waiting.push(line);
    if (this.#waiting.length > linesBehindMost) {
      this.#over = true;
      this.#followers.dropped += 1;
      this.#waiting.push(`${JSON.stringify({ error: problemLine(followerTooSlow()) })}\n`);
    }
    this.#give();
  }

  override _read(): void {
    this.#wanted = true;
    this.#give();
  }

  #give(): void {
    while (this.#wanted && this.#waiting.length > 0) this.#wanted = this.push(this.#waiting.shift());
    if (this.#over && this.#waiting.length === 0) this.push(null);
  }
}
