// The ends that pods outside the manifests can be: any pod, and the pods that each peer of a rule matches. Pods that match
// several peers have their own end if they lose what one of these peers gives them, or get what none of these peers gives.
// Pure.
import {
  everyPod,
  intersection,
  isCovered,
  isPossible,
  isScopeWithin,
  type KnownNamespaces,
  type PodScope,
} from './pod-scope.ts';

/** All pods of `scope` that are in none of `except`. */
export type OtherPods<Value> = { scope: PodScope; except: readonly PodScope[]; value: Value };

export type OtherPodsRequest<Value> = {
  /** The peers of the rules. */
  peers: readonly PodScope[];
  known: KnownNamespaces;
  /** What the pods get that exactly these peers match. */
  evaluate(peers: readonly PodScope[]): Value;
  /** Undefined if pods that several peers match get what each of these peers gives, and nothing else. */
  overlaps: OverlapValues<Value> | undefined;
  isSame(one: Value, other: Value): boolean;
};

export type OverlapValues<Value> = {
  /** Whether the pods with the second value keep all that the first value gives. */
  keeps(wider: Value, narrower: Value): boolean;
  /** Whether the pods with the second value get something that none of the first values gives. */
  gains(wider: readonly Value[], narrower: Value): boolean;
};

type End<Value> = {
  scope: PodScope;
  matched: ReadonlySet<PodScope>;
  /** Pods that several peers match. */
  isOverlap: boolean;
  except: PodScope[];
  value: Value;
};

/** `any pod` first. `too-many`: peers overlap in too many combinations. */
export function otherPodsOf<Value>(request: OtherPodsRequest<Value>): OtherPods<Value>[] | 'too-many' {
  const { known } = request;
  const ends = new Ends(request);
  ends.add(everyPod, false);
  for (const peer of request.peers) if (isPossible(peer, known)) ends.add(peer, false);
  const maxEnds = ends.all.length + maxOverlaps;
  if (request.overlaps !== undefined) {
    for (const end of ends.all) {
      addOverlaps(end, ends, request, request.overlaps);
      if (ends.all.length > maxEnds) return 'too-many';
    }
  }
  for (const end of ends.all) end.except = widest([...end.except, ...lostOverlaps(end, ends.all, request)], known);
  const possible = ends.all.filter(({ scope, except }) => !isCovered(scope, except, known));
  return withoutRepeated(possible, request);
}

const maxOverlaps = 300;

class Ends<Value> {
  /** Grows while it is read. */
  readonly all: End<Value>[] = [];
  readonly #request: OtherPodsRequest<Value>;
  readonly #keys = new Set<string>();

  constructor(request: OtherPodsRequest<Value>) {
    this.#request = request;
  }

  /** Scopes that the same peers match are one end. */
  add(scope: PodScope, isOverlap: boolean): void {
    const { peers, known, evaluate } = this.#request;
    const matched = peers.filter((peer) => isScopeWithin(scope, peer, known));
    const key = peers.map((peer) => (matched.includes(peer) ? 1 : 0)).join('');
    if (this.#keys.has(key)) return;
    this.#keys.add(key);
    this.all.push({ scope, matched: new Set(matched), isOverlap, except: [], value: evaluate(matched) });
  }
}

function addOverlaps<Value>(
  end: End<Value>,
  ends: Ends<Value>,
  { peers, known, evaluate }: OtherPodsRequest<Value>,
  { keeps, gains }: OverlapValues<Value>,
) {
  const valueIn = (scope: PodScope) => evaluate(peers.filter((one) => isScopeWithin(scope, one, known)));
  for (const peer of peers) {
    if (end.matched.has(peer)) continue;
    const overlap = intersection(end.scope, peer);
    if (!isPossible(overlap, known)) continue;
    const value = valueIn(overlap);
    if (!keeps(end.value, value)) end.except.push(peer);
    else if (!gains([end.value, valueIn(peer)], value)) continue;
    ends.add(overlap, true);
  }
}

/** Pods within the end that several peers match, and that lose something although each peer alone takes nothing. */
function lostOverlaps<Value>(
  end: End<Value>,
  ends: readonly End<Value>[],
  { known, overlaps }: OtherPodsRequest<Value>,
): PodScope[] {
  if (overlaps === undefined) return [];
  return ends.flatMap(({ isOverlap, scope, value }) => {
    const isLost = isOverlap && !overlaps.keeps(end.value, value) && isScopeWithin(scope, end.scope, known);
    return isLost ? scope : [];
  });
}

/** Without the scopes that are within another one. */
function widest(scopes: readonly PodScope[], known: KnownNamespaces): PodScope[] {
  return scopes.filter(
    (scope, at) =>
      !scopes.some((other, otherAt) => {
        if (other === scope || !isScopeWithin(scope, other, known)) return false;
        return !isScopeWithin(other, scope, known) || otherAt < at;
      }),
  );
}

/** Drops an end if all its pods are in a wider end with the same value: `any pod`, or for an overlap any end. */
function withoutRepeated<Value>(ends: readonly End<Value>[], { known, isSame }: OtherPodsRequest<Value>): End<Value>[] {
  const isWithinEnd = (inner: End<Value>, outer: End<Value>) =>
    isScopeWithin(inner.scope, outer.scope, known) &&
    outer.except.every((one) => {
      const overlap = intersection(inner.scope, one);
      return !isPossible(overlap, known) || inner.except.some((other) => isScopeWithin(overlap, other, known));
    });
  const kept: End<Value>[] = [];
  for (const end of ends) {
    const wider = end.isOverlap ? kept : kept.filter(({ scope }) => scope === everyPod);
    if (!wider.some((one) => isSame(one.value, end.value) && isWithinEnd(end, one))) kept.push(end);
  }
  return kept;
}
