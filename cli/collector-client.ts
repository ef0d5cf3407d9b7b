// Asks a running collector, by TLS with the client's certificate.

import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { Option } from 'commander';
import { readTls, type Tls } from '../certs/read.ts';
import { refused, unreachable } from './errors.ts';

export type ClientFlags = { collector: string; ca: string; cert: string; key: string };

export function addClientFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--collector <url>', 'address of the collector’s API')
        .env('WAYBILL_COLLECTOR')
        .default('https://localhost:7444'),
    )
    .addOption(certificateOption('ca', 'certificate of who signed the collector’s', 'ca.crt'))
    .addOption(certificateOption('cert', 'certificate of this client', 'client.crt'))
    .addOption(certificateOption('key', 'private key of the certificate', 'client.key'));
}

function certificateOption(name: 'ca' | 'cert' | 'key', help: string, file: string): Option {
  return new Option(`--${name} <path>`, help).env(`WAYBILL_TLS_${name.toUpperCase()}`).default(`certs/${file}`);
}

export class CollectorClient {
  readonly #url: string;
  readonly #tls: Tls;

  /** Throws a ProblemError where a certificate cannot be read. */
  constructor(flags: ClientFlags) {
    this.#url = flags.collector;
    this.#tls = readTls(flags);
  }

  async get(path: string, parameters: URLSearchParams): Promise<unknown> {
    const response = await this.#request(path, parameters);
    return JSON.parse(await bodyOf(response));
  }

  /** Lines as they come, until the collector or `signal` ends it. */
  async *follow(path: string, parameters: URLSearchParams, signal: AbortSignal): AsyncIterable<unknown> {
    const response = await this.#request(path, parameters);
    signal.addEventListener('abort', () => response.destroy(), { once: true });
    try {
      for await (const line of createInterface({ input: response })) yield JSON.parse(line);
    } catch (error) {
      if (!signal.aborted) throw unreachable(this.#url, error);
    }
  }

  #request(path: string, parameters: URLSearchParams): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      let url: URL;
      try {
        url = new URL(`${path}?${parameters}`, this.#url);
      } catch {
        reject(unreachable(this.#url, new Error('it is no URL')));
        return;
      }
      const sent = request(url, { ...this.#tls }, (response) => {
        if (response.statusCode === 200) resolve(response);
        else bodyOf(response).then((body) => reject(refused(this.#url, response.statusCode ?? 0, body)), reject);
      });
      sent.on('error', (error) => reject(unreachable(this.#url, error)));
      sent.end();
    });
  }
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
