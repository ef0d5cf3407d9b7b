// The objects of one resource as the API server last sent them. Reports changes and problems as events.
import type { ClusterEvent } from '../../model/kubernetes.ts';
import { isAnyPolicyKind, objectKey } from '../../model/kubernetes.ts';
import type { FormerObjects } from '../../model/object-version.ts';
import { type Problem, problemLine } from '../../model/problem.ts';
import { nameOfKind } from '../../model/recognised-policy.ts';
import { ObjectCache } from '../object-cache.ts';
import { type Parsed, parseObject } from '../parse/parse.ts';
import type { Resource } from './resources.ts';
import { identityOf, nameOf } from './responses.ts';

/** Limit of broken objects with remembered problems. A remembered problem is not reported again with every update. */
const maxBroken = 10_000;

/** Changes with every update of the object; of a policy only with an update of its spec. */
type Version = string;
type Changed = { key: string; version: Version; parsed: Parsed };

/** A complete list: the keys of all objects, and those that have another version than the known one. */
export type Listing = { keys: Set<string>; changed: Changed[] };

export class ResourceCache {
  readonly #resource: Resource;
  readonly #receive: (event: ClusterEvent) => void;
  readonly #objects: ObjectCache;
  readonly #versions = new Map<string, Version>();
  readonly #broken = new Map<string, readonly Problem[]>();

  constructor(resource: Resource, receive: (event: ClusterEvent) => void) {
    this.#resource = resource;
    this.#receive = receive;
    this.#objects = new ObjectCache(receive);
  }

  /** The objects that a former run knew. */
  seed(objects: FormerObjects['objects']): void {
    for (const { object, version } of objects) {
      this.#versions.set(objectKey(object), version);
      this.#objects.seed(object);
    }
  }

  /** By key. */
  get versions(): ReadonlyMap<string, string> {
    return this.#versions;
  }

  /** A broken object is removed from the cache, even if it was valid before. */
  put(raw: unknown, atUs: number): void {
    this.#put({ key: this.#keyOf(raw), version: this.#versionOf(raw), parsed: this.#parse(raw) }, atUs);
  }

  remove(raw: unknown, atUs: number): void {
    this.#remove(this.#keyOf(raw), atUs);
  }

  /** Adds objects of a list to `listing`, without any effect on the cache. */
  addTo(listing: Listing, items: readonly unknown[]): void {
    for (const raw of items) {
      const key = this.#keyOf(raw);
      const version = this.#versionOf(raw);
      listing.keys.add(key);
      if (this.#versions.get(key) !== version) listing.changed.push({ key, version, parsed: this.#parse(raw) });
    }
  }

  differsFrom({ keys, changed }: Listing): boolean {
    return changed.length > 0 || this.#missingIn(keys).length > 0;
  }

  /** Takes over a complete list. `sinceUs`: its changes happened at an unknown time after that. */
  replaceBy({ keys, changed }: Listing, atUs: number, sinceUs: number | undefined): void {
    for (const one of changed) this.#put(one, atUs, sinceUs);
    for (const key of this.#missingIn(keys)) this.#remove(key, atUs, sinceUs);
  }

  #put({ key, version, parsed }: Changed, atUs: number, sinceUs?: number): void {
    this.#versions.set(key, version);
    this.#reportProblems(key, parsed.is === 'not-ours' ? [] : parsed.problems, atUs);
    if (parsed.is === 'object') this.#objects.put(parsed.object, atUs, sinceUs, version);
    else this.#objects.remove(key, atUs, sinceUs);
  }

  #remove(key: string, atUs: number, sinceUs?: number): void {
    this.#versions.delete(key);
    this.#reportProblems(key, [], atUs);
    this.#objects.remove(key, atUs, sinceUs);
  }

  #missingIn(keys: ReadonlySet<string>): string[] {
    return [...this.#versions.keys()].filter((key) => !keys.has(key));
  }

  #parse(raw: unknown): Parsed {
    const { kind, apiVersion } = this.#resource;
    // Items of a list have no kind of their own.
    return parseObject(typeof raw === 'object' && raw !== null ? { ...raw, kind: nameOfKind(kind), apiVersion } : raw);
  }

  #keyOf(raw: unknown): string {
    return objectKey({ kind: this.#resource.kind, ...nameOf(raw) } as Parameters<typeof objectKey>[0]);
  }

  #versionOf(raw: unknown): Version {
    const { uid, resourceVersion, generation } = identityOf(raw);
    const version = isAnyPolicyKind(this.#resource.kind) && generation !== '' ? `g${generation}` : resourceVersion;
    return `${uid} ${version}`;
  }

  #reportProblems(key: string, problems: readonly Problem[], atUs: number): void {
    const known = this.#broken.get(key) ?? [];
    if (problems.length === 0 && known.length === 0) return;
    const lines = new Set(problems.map(problemLine));
    const knownLines = new Set(known.map(problemLine));
    if (problems.length === 0) this.#broken.delete(key);
    else if (this.#broken.size < maxBroken || this.#broken.has(key)) this.#broken.set(key, problems);
    for (const problem of known) if (!lines.has(problemLine(problem))) this.#receive({ type: 'fixed', problem, atUs });
    for (const problem of problems)
      if (!knownLines.has(problemLine(problem))) this.#receive({ type: 'problem', problem, atUs });
  }
}

export function emptyListing(): Listing {
  return { keys: new Set(), changed: [] };
}
