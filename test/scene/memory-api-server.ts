// An API server in memory: lists and watches of raw objects. It can go away and come back, and needs no real time.
import { setImmediate } from 'node:timers/promises';
import { loadAll } from 'js-yaml';
import type { ApiServer, Query } from '../../cluster/watch/api-server.ts';

type Raw = { kind: string; metadata: { name: string; namespace?: string; resourceVersion?: string; uid?: string } };
type Watch = { path: string; queue: object[]; wake: () => void };

const paths: Record<string, string> = {
  Namespace: '/api/v1/namespaces',
  Node: '/api/v1/nodes',
  Pod: '/api/v1/pods',
  Service: '/api/v1/services',
  NetworkPolicy: '/apis/networking.k8s.io/v1/networkpolicies',
};

export class MemoryApiServer implements ApiServer {
  readonly #objects = new Map<string, Raw>();
  readonly #watches = new Set<Watch>();
  #version = 1;
  #away = false;

  /** Creates or changes objects. Watches report it, unless the server is away. */
  put(manifests: string): void {
    for (const raw of loadAll(manifests) as Raw[]) {
      if (!raw) continue;
      this.#version += 1;
      const { metadata } = raw;
      const name = `${metadata.namespace ?? ''}/${metadata.name}`;
      const known = this.#objects.has(`${raw.kind} ${name}`);
      const uid = metadata.uid ?? `${raw.kind} ${name}`;
      const object = { ...raw, metadata: { ...metadata, uid, resourceVersion: String(this.#version) } };
      this.#objects.set(`${raw.kind} ${name}`, object);
      this.#send(raw.kind, { type: known ? 'MODIFIED' : 'ADDED', object });
    }
  }

  /** Closes all watches, and refuses connections until `comeBack`. */
  leave(): void {
    this.#away = true;
    for (const watch of this.#watches) watch.wake();
  }

  comeBack(): void {
    this.#away = false;
  }

  async get(path: string): Promise<unknown> {
    await setImmediate();
    if (this.#away) throw networkFault('ECONNREFUSED');
    const items = [...this.#objects.values()].filter(({ kind }) => paths[kind] === path);
    return { metadata: { resourceVersion: String(this.#version) }, items };
  }

  async stream(path: string, _query: Query, signal: AbortSignal): Promise<AsyncIterable<unknown>> {
    await setImmediate();
    if (this.#away) throw networkFault('ECONNREFUSED');
    return this.#watch(path, signal);
  }

  async *#watch(path: string, signal: AbortSignal): AsyncGenerator<unknown> {
    const watch: Watch = { path, queue: [], wake: () => {} };
    this.#watches.add(watch);
    while (!this.#away && !signal.aborted) {
      yield* watch.queue.splice(0);
      const { promise, resolve } = Promise.withResolvers<void>();
      watch.wake = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
      if (!this.#away && !signal.aborted && watch.queue.length === 0) await promise;
    }
    this.#watches.delete(watch);
    throw networkFault('ECONNRESET');
  }

  #send(kind: string, event: object): void {
    if (this.#away) return;
    for (const watch of this.#watches) {
      if (watch.path !== paths[kind]) continue;
      watch.queue.push(event);
      watch.wake();
    }
  }
}

function networkFault(code: string): Error {
  return Object.assign(new Error(code), { code });
}
