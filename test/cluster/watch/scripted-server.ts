// An API server on loopback whose responses the test sends one by one.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Access } from '../../../cluster/watch/access.ts';

export class ReceivedRequest {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  readonly #response: ServerResponse;
  /** Resolves when the client closes the connection. */
  readonly closed: Promise<void>;

  constructor(request: IncomingMessage, response: ServerResponse) {
    const url = new URL(request.url ?? '/', 'http://api');
    this.path = url.pathname;
    this.query = Object.fromEntries(url.searchParams);
    this.headers = request.headers;
    this.#response = response;
    this.closed = new Promise((resolve) => response.on('close', () => resolve()));
  }

  get isWatch(): boolean {
    return this.query.watch === 'true';
  }

  list(items: readonly unknown[], resourceVersion: string, next = ''): void {
    const metadata = next === '' ? { resourceVersion } : { resourceVersion, continue: next };
    this.#response.end(JSON.stringify({ kind: 'SomeList', apiVersion: 'v1', metadata, items }));
  }

  refuse(status: number, message: string, headers: Record<string, string> = {}): void {
    this.#response.writeHead(status, headers).end(JSON.stringify({ kind: 'Status', code: status, message }));
  }

  /** Answers 200, without any content yet. */
  accept(): void {
    this.#response.writeHead(200).flushHeaders();
  }

  event(type: string, object: unknown): void {
    this.text(`${JSON.stringify({ type, object })}\n`);
  }

  bookmark(resourceVersion: string): void {
    this.event('BOOKMARK', { metadata: { resourceVersion } });
  }

  text(text: string): void {
    this.#response.write(text);
  }

  end(): void {
    this.#response.end();
  }

  /** Closes the connection in the middle of the response. */
  cut(): void {
    this.#response.destroy();
  }
}

export class ScriptedServer {
  readonly #server = createServer((request, response) => this.#arrived(new ReceivedRequest(request, response)));
  readonly #waiting: ReceivedRequest[] = [];
  #wake: (() => void) | undefined;
  /** All requests so far. */
  readonly requests: ReceivedRequest[] = [];

  async listen(): Promise<Access> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as AddressInfo;
    const requestOptions = async () => ({ headers: { authorization: 'Bearer t0ken' } });
    return { base: `http://127.0.0.1:${port}`, requestOptions };
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Waits for the next request, in the order of arrival. */
  async next(): Promise<ReceivedRequest> {
    while (this.#waiting.length === 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    return this.#waiting.shift()!;
  }

  #arrived(received: ReceivedRequest): void {
    this.requests.push(received);
    this.#waiting.push(received);
    this.#wake?.();
  }
}
