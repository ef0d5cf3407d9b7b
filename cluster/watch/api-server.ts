// Requests to the API server: one response, or a stream of lines.
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { Access } from './access.ts';
import { linesOf } from './lines.ts';

export type Query = Readonly<Record<string, string>>;

export type ApiServer = {
  /** The response as JSON. Throws an ApiRefusal for any status but 200. */
  get(path: string, query: Query, signal: AbortSignal): Promise<unknown>;
  /**
   * Resolves when the server accepts, and rejects like `get`. Each line of the response as JSON, until the server ends it;
   * throws if the connection breaks.
   */
  stream(path: string, query: Query, signal: AbortSignal): Promise<AsyncIterable<unknown>>;
};

/** The API server answered with an error. `retryAfterMs` is 0 if it named no time. */
export class ApiRefusal extends Error {
  readonly status: number;
  readonly retryAfterMs: number;
  constructor(status: number, message: string, retryAfterMs = 0) {
    super(message);
    this.name = 'ApiRefusal';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Enough for a page of 500 objects, which have some KiB each; etcd allows more. */
const maxResponseBytes = 256 * 2 ** 20;
/** etcd accepts objects of up to 1.5 MiB; they may be larger as JSON. */
const maxLineBytes = 16 * 2 ** 20;

export function apiServer(access: Access): ApiServer {
  const open = async (path: string, query: Query, signal: AbortSignal): Promise<IncomingMessage> => {
    const url = new URL(access.base + path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const response = await responseTo(url, { ...(await access.requestOptions()), signal });
    if (response.statusCode !== 200) throw await refusalOf(response);
    return response;
  };
  return {
    async get(path, query, signal) {
      return JSON.parse(await textOf(await open(path, query, signal), maxResponseBytes));
    },
    async stream(path, query, signal) {
      return jsonLines(await open(path, query, signal));
    },
  };
}

async function* jsonLines(response: IncomingMessage): AsyncGenerator<unknown> {
  for await (const line of linesOf(response, maxLineBytes)) yield JSON.parse(line);
}

function responseTo(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = { ...(options.headers as Record<string, string>), accept: 'application/json' };
  const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
  const request: ClientRequest = send(url, { ...options, headers }, resolve);
  request.on('error', reject);
  request.end();
  return promise;
}

/** The body is a Status object from the API server, or anything from a proxy in front of it. */
async function refusalOf(response: IncomingMessage): Promise<ApiRefusal> {
  const status = response.statusCode ?? 0;
  const text = await textOf(response, 2 ** 20).catch(() => '');
  const retryAfterS = Number(response.headers['retry-after'] ?? 0);
  return new ApiRefusal(status, messageIn(text) ?? `status ${status}`, retryAfterS > 0 ? retryAfterS * 1000 : 0);
}

function messageIn(text: string): string | undefined {
  try {
    const message: unknown = JSON.parse(text)?.message;
    return typeof message === 'string' && message !== '' ? message : undefined;
  } catch {
    return undefined;
  }
}

async function textOf(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`the response is larger than ${maxBytes / 2 ** 20} MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
