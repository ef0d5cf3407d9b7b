// When the view of the cluster's objects was incomplete, and which objects changed meanwhile. An object that did not change
// was valid throughout; what a changed one was at a time in between is not known.
import { type ClusterKind, type ClusterObject, objectKey } from '../../model/kubernetes.ts';
import type { StaleKind } from '../../model/verdict.ts';

/** Names of changed objects kept; the least recent are dropped. Three for each pod. */
const maxNames = 200_000;

/** The change happened after `sinceUs`, and `untilUs` at the latest. */
export type Span = { sinceUs: number; untilUs: number };

export class ViewGaps {
  readonly #staleSinceUs = new Map<ClusterKind, number>();
  readonly #spans = new Map<string, Span[]>();
  /** Nothing is uncertain after this time, unless a kind is stale now. */
  #latestUs = 0;
  #revision = 0;

  stale(kind: ClusterKind, sinceUs: number): void {
    this.#staleSinceUs.set(kind, sinceUs);
  }

  fresh(kind: ClusterKind): void {
    this.#staleSinceUs.delete(kind);
    this.#revision += 1;
  }

  /** The object was put or removed at an unknown time in the span. `former` is the version before. */
  missedChange(object: ClusterObject, former: ClusterObject | undefined, span: Span): void {
    const names = new Set([...namesOf(object), ...(former === undefined ? [] : namesOf(former))]);
    for (const name of names) {
      const spans = this.#spans.get(`${object.kind} ${name}`) ?? [];
      this.#spans.delete(`${object.kind} ${name}`);
      this.#spans.set(`${object.kind} ${name}`, [...spans.slice(1 - maxSpansPerName), span]);
      if (this.#spans.size > maxNames) this.#spans.delete(this.#spans.keys().next().value!);
    }
    this.#latestUs = Math.max(this.#latestUs, span.untilUs);
    this.#revision += 1;
  }

  /** False if everything is known about that time, which is the normal case. */
  mayDoubt(timeUs: number): boolean {
    return timeUs <= this.#latestUs || this.isStaleAt(timeUs);
  }

  isStaleAt(timeUs: number): boolean {
    for (const sinceUs of this.#staleSinceUs.values()) if (timeUs > sinceUs) return true;
    return false;
  }

  /**
   * Why the objects of the kind with any of these names (uid, name, address) are not known for sure at that time, which
   * includes that there may be others; undefined if they are.
   */
  doubt(kind: ClusterKind, names: readonly string[], timeUs: number): StaleKind | undefined {
    const sinceUs = this.#staleSinceUs.get(kind);
    if (sinceUs !== undefined && timeUs > sinceUs) return { kind, sinceUs };
    if (timeUs > this.#latestUs) return undefined;
    for (const name of names) {
      const span = this.#spans.get(`${kind} ${name}`)?.find((one) => one.sinceUs < timeUs && timeUs <= one.untilUs);
      if (span !== undefined) return { kind, ...span };
    }
    return undefined;
  }

  get staleKinds(): readonly StaleKind[] {
    return [...this.#staleSinceUs].map(([kind, sinceUs]) => ({ kind, sinceUs }));
  }

  /** Increases when a doubtful connection may be evaluated for sure, or a missed change becomes known. */
  get revision(): number {
    return this.#revision;
  }
}

const maxSpansPerName = 4;

/** Everything by which a connection can depend on the object. */
function namesOf(object: ClusterObject): readonly string[] {
  switch (object.kind) {
    case 'Pod':
      return [object.uid, ...(object.hostNetwork ? [] : object.addresses)];
    case 'Node':
    case 'Service':
      return [objectKey(object), ...object.addresses];
    case 'EndpointSlice':
      return [`${object.namespace}/${object.service}`];
    default:
      return [objectKey(object)];
  }
}
