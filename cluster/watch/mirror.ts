// The objects of one resource as the API server has them, told as events. Pure but for what it tells.
import { isDeepStrictEqual } from 'node:util';
import type { ClusterEvent } from '../../model/kubernetes.ts';
import { objectKey } from '../../model/kubernetes.ts';
import { type Problem, problemLine } from '../../model/problem.ts';
import { KnownObjects } from '../known-objects.ts';
import { parseObject } from '../parse/parse.ts';
import { nameOf } from './answers.ts';
import type { Resource } from './resources.ts';

/** Broken objects whose problems are remembered, so that each is told once and not with every change of it. */
const brokenMost = 10_000;

export class Mirror {
  readonly #resource: Resource;
  readonly #receive: (event: ClusterEvent) => void;
  readonly #known: KnownObjects;
  readonly #broken = new Map<string, readonly string[]>();

  constructor(resource: Resource, receive: (event: ClusterEvent) => void) {
    this.#resource = resource;
    this.#receive = receive;
    this.#known = new KnownObjects(receive);
  }

  /** An object that is broken is left out, also where it was sound before; returns its key. */
  put(raw: unknown, atUs: number): string {
    const { kind, apiVersion } = this.#resource;
    // Items of a list carry no kind of their own.
    const parsed = parseObject(typeof raw === 'object' && raw !== null ? { ...raw, kind, apiVersion } : raw);
    const key = parsed.is === 'object' ? objectKey(parsed.object) : this.#keyOf(raw);
    this.#tellProblems(key, parsed.is === 'not-ours' ? [] : parsed.problems, atUs);
    if (parsed.is === 'object') this.#known.put(parsed.object, atUs);
    else this.#known.remove(key, atUs);
    return key;
  }

  remove(raw: unknown, atUs: number): void {
    const key = this.#keyOf(raw);
    this.#broken.delete(key);
    this.#known.remove(key, atUs);
  }

  /** Of a list that is complete: what is not in it is gone. */
  keepOnly(keys: ReadonlySet<string>, atUs: number): void {
    for (const key of this.#broken.keys()) if (!keys.has(key)) this.#broken.delete(key);
    this.#known.keepOnly(keys, atUs);
  }

  #keyOf(raw: unknown): string {
    const { namespace, name } = nameOf(raw);
    return `${this.#resource.kind}/${namespace}/${name}`;
  }

  #tellProblems(key: string, problems: readonly Problem[], atUs: number): void {
    if (problems.length === 0) {
      this.#broken.delete(key);
      return;
    }
    const lines = problems.map(problemLine);
    if (isDeepStrictEqual(this.#broken.get(key), lines)) return;
    if (this.#broken.size < brokenMost || this.#broken.has(key)) this.#broken.set(key, lines);
    for (const problem of problems) this.#receive({ type: 'problem', problem, atUs });
  }
}
