// The policies that are judged by, so kept that those that touch a pod are found at once. Immutable: a change gives a new
// set that shares with the old one all that the change does not touch, also what was worked out of it.
import type { LabelSelector, Labels, PodsSelector, Policy } from '../model/kubernetes.ts';
import type { Direction, PolicyRef } from '../model/verdict.ts';
import {
  type Compiled,
  compiledIsolation,
  compiledTiered,
  type Isolation,
  isClusterPolicy,
  type Tiered,
} from './compile.ts';
import type { PodParty } from './peers.ts';
import { selects } from './selectors.ts';

/** What touches a pod in one direction. Pods that the same policies touch have the same object, also in another set. */
export type Selection = {
  /** By priority, lower first; those of one priority by name. */
  readonly admin: readonly Tiered[];
  readonly isolating: readonly Isolation[];
  /** May isolate it, and nobody can tell what they say (rule 17). */
  readonly broken: readonly PolicyRef[];
  readonly baseline: readonly Tiered[];
};

/** Parts by name, and what they select by the labels object: a pod keeps it as long as its labels stay the same. */
type Layer<Part> = { readonly parts: readonly Part[]; readonly selected: WeakMap<Labels, readonly Part[]> };
type Layers<Part> = { readonly [Side in Direction]: Layer<Part> };
/** Of pods by the labels of their namespace first. */
type TierLayer = { readonly parts: readonly Tiered[]; readonly selected: WeakMap<Labels, Layer<Tiered>> };
type TierLayers = { readonly [Side in Direction]: TierLayer };

export type PolicySet = {
  readonly byNamespace: ReadonlyMap<string, Layers<Isolation>>;
  readonly tiers: TierLayers;
};

const sets = new WeakMap<readonly Policy[], PolicySet>();

export const emptyPolicySet: PolicySet = {
  byNamespace: new Map(),
  tiers: { egress: tierLayer([]), ingress: tierLayer([]) },
};

/** The same array gives the same set: whoever changes a policy makes a new array, or a set by `withPolicy`. */
export function compilePolicies(policies: readonly Policy[]): PolicySet {
  const known = sets.get(policies);
  if (known !== undefined) return known;
  const isolations = new Map<string, Compiled<Isolation>[]>();
  const tiereds: Compiled<Tiered>[] = [];
  for (const policy of policies) {
    if (isClusterPolicy(policy)) tiereds.push(compiledTiered(policy));
    else {
      const inNamespace = isolations.get(policy.namespace);
      if (inNamespace === undefined) isolations.set(policy.namespace, [compiledIsolation(policy)]);
      else inNamespace.push(compiledIsolation(policy));
    }
  }
  const byNamespace = new Map<string, Layers<Isolation>>();
  for (const [namespace, parts] of isolations) {
    byNamespace.set(namespace, {
      egress: layer(sorted(parts.flatMap(({ egress }) => egress ?? []))),
      ingress: layer(sorted(parts.flatMap(({ ingress }) => ingress ?? []))),
    });
  }
  const tiers = {
    egress: tierLayer(sorted(tiereds.flatMap(({ egress }) => egress ?? []))),
    ingress: tierLayer(sorted(tiereds.flatMap(({ ingress }) => ingress ?? []))),
  };
  const set = { byNamespace, tiers };
  sets.set(policies, set);
  return set;
}

/** With `policy`, in the place of the one of its kind, namespace and name where there was one. */
export function withPolicy(set: PolicySet, policy: Policy): PolicySet {
  return changed(set, policy, 'put');
}

export function withoutPolicy(set: PolicySet, policy: Policy): PolicySet {
  return changed(set, policy, 'gone');
}

function changed({ byNamespace, tiers }: PolicySet, policy: Policy, how: 'put' | 'gone'): PolicySet {
  if (isClusterPolicy(policy)) {
    const parts = how === 'put' ? compiledTiered(policy) : nothing;
    const egress = replaced(tiers.egress.parts, policy, parts.egress);
    const ingress = replaced(tiers.ingress.parts, policy, parts.ingress);
    return {
      byNamespace,
      tiers: {
        egress: egress === tiers.egress.parts ? tiers.egress : tierLayer(egress),
        ingress: ingress === tiers.ingress.parts ? tiers.ingress : tierLayer(ingress),
      },
    };
  }
  const parts = how === 'put' ? compiledIsolation(policy) : nothing;
  const before = byNamespace.get(policy.namespace) ?? noIsolation;
  const egress = replaced(before.egress.parts, policy, parts.egress);
  const ingress = replaced(before.ingress.parts, policy, parts.ingress);
  const namespaces = new Map(byNamespace);
  namespaces.set(policy.namespace, {
    egress: egress === before.egress.parts ? before.egress : layer(egress),
    ingress: ingress === before.ingress.parts ? before.ingress : layer(ingress),
  });
  if (egress.length === 0 && ingress.length === 0) namespaces.delete(policy.namespace);
  return { byNamespace: namespaces, tiers };
}

const nothing = { egress: undefined, ingress: undefined };
const noIsolation: Layers<Isolation> = { egress: layer([]), ingress: layer([]) };

/** The same list where the change does not concern it. */
function replaced<Part extends Isolation | Tiered>(
  parts: readonly Part[],
  policy: Policy,
  part: Part | undefined,
): readonly Part[] {
  const others = parts.filter(({ policy: { kind, name } }) => kind !== policy.kind || name !== policy.name);
  if (part === undefined) return others.length === parts.length ? parts : others;
  return sorted([...others, part]);
}

/** Which policies touch the pod in that direction (rules 1, 21 and 23). */
export function selectionOf(set: PolicySet, pod: PodParty, direction: Direction): Selection {
  return selectionOfParts(
    tiersOf(set.tiers[direction], pod.namespaceLabels, pod.labels),
    isolationsOf(set.byNamespace.get(pod.namespace)?.[direction], pod.labels),
  );
}

function isolationsOf(layer: Layer<Isolation> | undefined, labels: Labels): readonly Isolation[] {
  if (layer === undefined) return none;
  const known = layer.selected.get(labels);
  if (known !== undefined) return known;
  // A broken policy whose selector cannot be read may select every pod.
  const found = layer.parts.filter(({ of }) => of.podSelector === undefined || selects(of.podSelector, labels));
  layer.selected.set(labels, found);
  return found;
}

function tiersOf({ parts, selected }: TierLayer, namespaceLabels: Labels, labels: Labels): readonly Tiered[] {
  if (parts.length === 0) return none;
  let inNamespace = selected.get(namespaceLabels);
  if (inNamespace === undefined) {
    inNamespace = layer(parts.filter(({ of }) => maySelect(of.subject?.namespaceSelector, namespaceLabels)));
    selected.set(namespaceLabels, inNamespace);
  }
  const known = inNamespace.selected.get(labels);
  if (known !== undefined) return known;
  const found = inNamespace.parts.filter(({ of }) => maySelect(podsOf(of.subject), labels));
  inNamespace.selected.set(labels, found);
  return found;
}

function podsOf(subject: PodsSelector | undefined): LabelSelector | undefined {
  return subject?.podSelector;
}

function maySelect(selector: LabelSelector | undefined, labels: Labels): boolean {
  return selector === undefined || selects(selector, labels);
}

const none: readonly never[] = [];

/**
 * The selection of these parts: there is one for each list of them, as long as somebody holds its parts, so that what is
 * kept for a selection outlives every change that does not touch it.
 */
type Interned = { selection: Selection | undefined; next: WeakMap<Isolation | Tiered, Interned> };

const root = interned();

function interned(): Interned {
  return { selection: undefined, next: new WeakMap() };
}

function selectionOfParts(tiers: readonly Tiered[], isolations: readonly Isolation[]): Selection {
  let at = root;
  for (const part of tiers) at = next(at, part);
  for (const part of isolations) at = next(at, part);
  at.selection ??= {
    admin: tiers.filter(({ of }) => of.tier === 'Admin').sort(byPriority),
    isolating: isolations.filter(({ of }) => of.broken === undefined),
    broken: isolations.filter(({ of }) => of.broken !== undefined).map(({ policy }) => policy),
    baseline: tiers.filter(({ of }) => of.tier === 'Baseline').sort(byPriority),
  };
  return at.selection;
}

function next(at: Interned, part: Isolation | Tiered): Interned {
  const known = at.next.get(part);
  if (known !== undefined) return known;
  const fresh = interned();
  at.next.set(part, fresh);
  return fresh;
}

/** One whose priority cannot be read may stand before all others (rule 17). */
export function priorityOf({ of }: Tiered): number {
  return of.priority ?? -1;
}

function byPriority(a: Tiered, b: Tiered): number {
  return priorityOf(a) - priorityOf(b);
}

function layer<Part>(parts: readonly Part[]): Layer<Part> {
  return { parts, selected: new WeakMap() };
}

function tierLayer(parts: readonly Tiered[]): TierLayer {
  return { parts, selected: new WeakMap() };
}

/** By kind and name, so that a set says the same whatever the order in which its policies came. */
function sorted<Part extends Isolation | Tiered>(parts: Part[]): Part[] {
  return parts.sort((a, b) => compare(a.policy.kind, b.policy.kind) || compare(a.policy.name, b.policy.name));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
