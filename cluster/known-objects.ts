// The objects that were told, so that only what changed is told again: an API server writes objects whose meaning here
// stays the same (a node's heartbeat), and each needless `put` would have verdicts judged anew.
import { isDeepStrictEqual } from 'node:util';
import { type ClusterEvent, type ClusterObject, objectKey } from '../model/kubernetes.ts';

export class KnownObjects {
  readonly #objects = new Map<string, ClusterObject>();
  readonly #receive: (event: ClusterEvent) => void;

  constructor(receive: (event: ClusterEvent) => void) {
    this.#receive = receive;
  }

  /** An object of the same name with another uid took the place of one that must be gone. */
  put(object: ClusterObject, atUs: number): void {
    const key = objectKey(object);
    const former = this.#objects.get(key);
    if (former !== undefined && isDeepStrictEqual(former, object)) return;
    if (former !== undefined && former.uid !== object.uid) this.#receive({ type: 'gone', object: former, atUs });
    this.#objects.set(key, object);
    this.#receive({ type: 'put', object, atUs });
  }

  remove(key: string, atUs: number): void {
    const object = this.#objects.get(key);
    if (object === undefined) return;
    this.#objects.delete(key);
    this.#receive({ type: 'gone', object, atUs });
  }

  /** What is not among `keys` is gone. */
  keepOnly(keys: { has(key: string): boolean }, atUs: number): void {
    for (const key of this.#objects.keys()) if (!keys.has(key)) this.remove(key, atUs);
  }
}
