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

  /** An object that was reported by a former run. */
  seed(object: ClusterObject): void {
    this.#objects.set(objectKey(object), object);
  }

  /**
   * If the uid of an object changes, the former object was deleted, so it is reported as gone first. With `sinceUs`, a
   * change was missed (ClusterEvent): it is reported even if the object looks the same.
   */
  put(object: ClusterObject, atUs: number, sinceUs?: number, version = ''): void {
    const key = objectKey(object);
    const former = this.#objects.get(key);
    const same = former !== undefined && isDeepStrictEqual(former, object);
    if (same && sinceUs === undefined) return;
    if (former !== undefined && former.uid !== object.uid) this.#report('gone', former, atUs, sinceUs);
    const latest = same ? former : object;
    this.#objects.set(key, latest);
    this.#report('put', latest, atUs, sinceUs, version);
  }

  differsFrom(object: ClusterObject): boolean {
    return !isDeepStrictEqual(this.#objects.get(objectKey(object)), object);
  }

  remove(key: string, atUs: number, sinceUs?: number): void {
    const object = this.#objects.get(key);
    if (object === undefined) return;
    this.#objects.delete(key);
    this.#report('gone', object, atUs, sinceUs);
  }

  /** Removes the objects whose key is not in `keys`. */
  keepOnly(keys: { has(key: string): boolean }, atUs: number, sinceUs?: number): void {
    for (const key of this.#objects.keys()) if (!keys.has(key)) this.remove(key, atUs, sinceUs);
  }

  #report(type: 'put' | 'gone', object: ClusterObject, atUs: number, sinceUs: number | undefined, version = ''): void {
    this.#receive({
      type,
      object,
      atUs,
      ...(sinceUs !== undefined && { sinceUs }),
      ...(version !== '' && { version }),
    });
  }
}
