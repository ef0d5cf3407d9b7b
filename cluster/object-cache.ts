// The objects reported so far. An API server also sends updates that change nothing here, such as a node's heartbeat; the
// cache drops them, because each event makes the collector evaluate verdicts again.
import { isDeepStrictEqual } from 'node:util';
import { type ClusterEvent, type ClusterObject, objectKey } from '../model/kubernetes.ts';

export class ObjectCache {
  readonly #objects = new Map<string, ClusterObject>();
  readonly #receive: (event: ClusterEvent) => void;

  constructor(receive: (event: ClusterEvent) => void) {
    this.#receive = receive;
  }

  /** If the uid of an object changes, the former object was deleted, so it is reported as gone first. */
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

  /** Removes the objects whose key is not in `keys`. */
  keepOnly(keys: { has(key: string): boolean }, atUs: number): void {
    for (const key of this.#objects.keys()) if (!keys.has(key)) this.remove(key, atUs);
  }
}
