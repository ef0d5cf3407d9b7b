// The objects of one resource as the API server last sent them. Reports changes and problems as events.
import { isDeepStrictEqual } from 'node:util';
import type { ClusterEvent } from '../../model/kubernetes.ts';
import { objectKey } from '../../model/kubernetes.ts';
import { type Problem, problemLine } from '../../model/problem.ts';
import { ObjectCache } from '../object-cache.ts';
import { parseObject } from '../parse/parse.ts';
import type { Resource } from './resources.ts';
import { nameOf } from './responses.ts';

/** Limit of broken objects with remembered problems. A remembered problem is not reported again with every update. */
const maxBroken = 10_000;

export class ResourceCache {
  readonly #resource: Resource;
  readonly #receive: (event: ClusterEvent) => void;
  readonly #objects: ObjectCache;
  readonly #broken = new Map<string, readonly string[]>();

  constructor(resource: Resource, receive: (event: ClusterEvent) => void) {
    this.#resource = resource;
    this.#receive = receive;
    this.#objects = new ObjectCache(receive);
  }

  /** Returns the key of the object. A broken object is removed from the cache, even if it was valid before. */
  put(raw: unknown, atUs: number): string {
    const { kind, apiVersion } = this.#resource;
    // Items of a list have no kind of their own.
    const parsed = parseObject(typeof raw === 'object' && raw !== null ? { ...raw, kind, apiVersion } : raw);
    const key = parsed.is === 'object' ? objectKey(parsed.object) : this.#keyOf(raw);
    this.#reportProblems(key, parsed.is === 'not-ours' ? [] : parsed.problems, atUs);
    if (parsed.is === 'object') this.#objects.put(parsed.object, atUs);
    else this.#objects.remove(key, atUs);
    return key;
  }

  remove(raw: unknown, atUs: number): void {
    const key = this.#keyOf(raw);
    this.#broken.delete(key);
    this.#objects.remove(key, atUs);
  }

  /** After a complete list: removes the objects that are not in it. */
  keepOnly(keys: ReadonlySet<string>, atUs: number): void {
    for (const key of this.#broken.keys()) if (!keys.has(key)) this.#broken.delete(key);
    this.#objects.keepOnly(keys, atUs);
  }

  #keyOf(raw: unknown): string {
    const { namespace, name } = nameOf(raw);
    return `${this.#resource.kind}/${namespace}/${name}`;
  }

  #reportProblems(key: string, problems: readonly Problem[], atUs: number): void {
    if (problems.length === 0) {
      this.#broken.delete(key);
      return;
    }
    const lines = problems.map(problemLine);
    if (isDeepStrictEqual(this.#broken.get(key), lines)) return;
    if (this.#broken.size < maxBroken || this.#broken.has(key)) this.#broken.set(key, lines);
    for (const problem of problems) this.#receive({ type: 'problem', problem, atUs });
  }
}
