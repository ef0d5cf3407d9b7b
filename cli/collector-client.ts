// Asks a running collector over TLS with a client certificate. Failures are thrown as a ProblemError.
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { createSecureContext } from 'node:tls';
import { type Command, Option } from 'commander';
import { certificateUnreadable } from '../certs/errors.ts';
import { loadedCertificates, notValidAt } from '../certs/validity.ts';
import { heartbeatHeader, moreHeader } from '../collector/api/api.ts';
import { type Problem, ProblemError } from '../model/problem.ts';
import {
  badCollectorUrl,
  clientCertificateUnusable,
  collectorEnded,
  collectorError,
  collectorRefused,
  collectorUnreachable,
  unexpectedResponse,
} from './errors.ts';
import { textLines } from './output/text-lines.ts';

export type ClientFlags = { collector: string; ca: string; cert: string; key: string };

/** `hasMore`: the collector has more items than the request's limit. */
export type ApiResponse = { value: unknown; hasMore: boolean };

/** Limits the wait for the headers of a response. */
const responseTimeoutMs = 30_000;
/** Limits the silence after the headers. A followed stream has a heartbeat every 15 s. */
const maxIdleMs = 60_000;

export function addClientFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--collector <url>', 'URL of the collector’s API')
        .env('WAYBILL_COLLECTOR')
        .default('https://localhost:7444'),
    )
    .addOption(certificateOption('ca', 'CA certificate that signed the collector’s certificate', 'ca.crt'))
    .addOption(certificateOption('cert', 'Certificate of this client', 'client.crt'))
    .addOption(certificateOption('key', 'Private key of this client', 'client.key'));
}

function certificateOption(name: 'ca' | 'cert' | 'key', help: string, file: string): Option {
  return new Option(`--${name} <path>`, help).env(`WAYBILL_TLS_${name.toUpperCase()}`).default(`certs/${file}`);
}

export class CollectorClient {
  readonly url: string;
  readonly #tls: { ca: Buffer; cert: Buffer; key: Buffer };
  readonly #idleTimeoutMs: number;

  constructor(flags: ClientFlags, idleTimeoutMs = maxIdleMs) {
    this.url = flags.collector;
    this.#idleTimeoutMs = idleTimeoutMs;
    if (!URL.canParse(this.url) || new URL(this.url).protocol !== 'https:')
      throw new ProblemError(badCollectorUrl(this.url));
    this.#tls = readCertificates(flags);
  }

  async get(path: string, parameters: URLSearchParams): Promise<ApiResponse> {
    const response = await this.#request(path, parameters);
    const idle = destroyWhenIdle(response, this.#idleTimeoutMs);
    const body = await bodyOf(response).catch(() => {
      throw new ProblemError(
        collectorEnded(this.url, idle.timedOut ? this.#idleFault : 'it closed the connection during its answer'),
      );
    });
    return { value: this.#parseJson(body), hasMore: response.headers[moreHeader] === 'true' };
  }

  /** Yields values until `signal` aborts. Throws a ProblemError if the collector closes the stream or falls silent. */
  async *follow(path: string, parameters: URLSearchParams, signal: AbortSignal): AsyncGenerator<unknown, void> {
    let idle = { timedOut: false };
    try {
      const response = await this.#request(path, parameters, signal);
      signal.addEventListener('abort', () => response.destroy(), { once: true });
      // An older collector sends no heartbeat, so silence does not mean that it is dead.
      if (response.headers[heartbeatHeader] !== undefined) idle = destroyWhenIdle(response, this.#idleTimeoutMs);
      for await (const line of linesOf(response)) {
        if (line === '') continue; // heartbeat
        const value = this.#parseJson(line);
        const reported = errorOf(value);
        if (reported !== undefined) throw new ProblemError(collectorError(this.url, reported));
        yield value;
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    if (!signal.aborted)
      throw new ProblemError(collectorEnded(this.url, idle.timedOut ? this.#idleFault : 'it closed the stream'));
  }

  get #idleFault(): string {
    return `it sent nothing for ${this.#idleTimeoutMs / 1000} s`;
  }

  #request(path: string, parameters: URLSearchParams, signal?: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const fail = (problem: Problem) => reject(new ProblemError(problem));
      const url = new URL(`${path}?${parameters}`, this.url);
      const headers = { [heartbeatHeader]: 'blank-lines' };
      const options = { ...this.#tls, agent: false, headers, ...(signal !== undefined && { signal }) };
      const clientRequest = request(url, options, (response) => {
        clearTimeout(responseTimer);
        const status = response.statusCode ?? 0;
        if (status === 200) resolve(response);
        else
          bodyOf(response).then(
            (body) => fail(collectorRefused(this.url, status, body)),
            () => fail(collectorRefused(this.url, status, '')),
          );
      });
      const responseTimer = setTimeout(() => {
        clientRequest.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }));
      }, responseTimeoutMs);
      clientRequest.on('error', (error) => {
        clearTimeout(responseTimer);
        fail(collectorUnreachable(this.url, error));
      });
      clientRequest.end();
    });
  }

  #parseJson(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw new ProblemError(unexpectedResponse(this.url));
    }
  }
}

/** Throws a ProblemError with every file that is unreadable or not valid now, each with its flag. */
function readCertificates(flags: ClientFlags): { ca: Buffer; cert: Buffer; key: Buffer } {
  const problems: Problem[] = [];
  const read = (name: 'ca' | 'cert' | 'key'): Buffer => {
    try {
      return readFileSync(flags[name]);
    } catch (error) {
      problems.push(certificateUnreadable(`--${name}`, flags[name], error as NodeJS.ErrnoException));
      return Buffer.alloc(0);
    }
  };
  const tls = { ca: read('ca'), cert: read('cert'), key: read('key') };
  if (problems.length > 0) throw new ProblemError(...problems);
  try {
    createSecureContext(tls);
  } catch (error) {
    throw new ProblemError(clientCertificateUnusable(error));
  }
  problems.push(
    ...notValidAt(
      Date.now(),
      loadedCertificates(tls, (name) => `--${name} ${flags[name]}`),
    ),
  );
  if (problems.length > 0) throw new ProblemError(...problems);
  return tls;
}

function errorOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('error' in value)) return undefined;
  return typeof value.error === 'string' ? value.error : undefined;
}

/** Destroys a silent response. It counts timer steps, so a pause of this program does not count as silence. */
function destroyWhenIdle(response: IncomingMessage, idleTimeoutMs: number): { timedOut: boolean } {
  const steps = 12;
  const idle = { timedOut: false };
  const { socket } = response;
  let [idleSteps, bytes] = [0, socket.bytesRead];
  const timer = setInterval(() => {
    idleSteps = socket.bytesRead === bytes ? idleSteps + 1 : 0;
    bytes = socket.bytesRead;
    if (idleSteps < steps) return;
    idle.timedOut = true;
    response.destroy(new Error('idle'));
  }, idleTimeoutMs / steps);
  response.once('close', () => clearInterval(timer));
  return idle;
}

/** Ends with the response, also if the connection breaks. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void> {
  try {
    yield* textLines(response);
  } catch {
    return;
  }
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
