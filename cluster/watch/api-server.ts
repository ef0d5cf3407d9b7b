// Requests to the API server: one answer, or a stream of lines.
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { Access } from './access.ts';
import { linesOf } from './lines.ts';

export type Query = Readonly<Record<string, string>>;

export type ApiServer = {
  /** The answer as JSON. Throws an ApiRefusal where it is none of success. */
  get(path: string, query: Query, signal: AbortSignal): Promise<unknown>;
  /** Each line of the answer as JSON, until the server ends it; throws as `get`, and where the stream breaks. */
  stream(path: string, query: Query, signal: AbortSignal): AsyncIterable<unknown>;
};

/** The API server answered, and not with what was asked for. `retryAfterMs` is 0 where it named no time. */
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

/** A page of 500 objects at the size that etcd allows would be more; ours are some KiB each. */
const answerBytesMost = 256 * 2 ** 20;
/** etcd takes objects up to 1.5 MiB; as JSON they may be larger. */
const lineBytesMost = 16 * 2 ** 20;

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
      return JSON.parse(await textOf(await open(path, query, signal), answerBytesMost));
    },
    async *stream(path, query, signal) {
      for await (const line of linesOf(await open(path, query, signal), lineBytesMost)) yield JSON.parse(line);
    },
  };
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

/** What the server says of it is a Status object; of a proxy before it, anything. */
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

async function textOf(response: IncomingMessage, bytesMost: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > bytesMost) throw new Error(`response larger than ${bytesMost / 2 ** 20} MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
