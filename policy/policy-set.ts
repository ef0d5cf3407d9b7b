// The policies that are judged by, so kept that those that touch a pod are found at once. Immutable: a change gives a new
// set that shares with the old one all that the change does not touch, also what was worked out of it.
import type { LabelSelector, Labels, Policy } from '../model/kubernetes.ts';
import type { Direction, PolicyRef } from '../model/verdict.ts';
import {
  type Compiled,
  compiledIsolation,
  compiledTiered,
  type Isolation,
  isClusterPolicy,
  mayNotTouch,
  type Tiered,
} from './compile.ts';
import type { PodParty } from './peers.ts';
import { type PortIndex, portIndexOf } from './port-index.ts';
import { mayAlsoSelect, selects } from './selectors.ts';

/** What touches a pod in one direction. Pods that the same policies touch have the same object, also in another set. */
export type Selection = {
  /** By priority, lower first; those of one priority by name. */
  readonly admin: readonly Tiered[];
  readonly isolating: readonly Isolation[];
  readonly isolatedBy: readonly PolicyRef[];
  readonly index: PortIndex;
  /** May isolate it, and nobody can tell what they say (rule 17). */
  readonly broken: readonly PolicyRef[];
  readonly baseline: readonly Tiered[];
};

/** Parts by name; a layer that nothing changed is the same object in the next set. */
type Layer = { readonly parts: readonly Isolation[] };
type Layers = { readonly [Side in Direction]: Layer };
type TierLayer = {
  readonly parts: readonly Tiered[];
  /** Those whose subject takes the namespace, by its labels. */
  readonly ofNamespace: WeakMap<Labels, readonly Tiered[]>;
};
type TierLayers = { readonly [Side in Direction]: TierLayer };

export type PolicySet = {
  readonly byNamespace: ReadonlyMap<string, Layers>;
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
  const byNamespace = new Map<string, Layers>();
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
const noIsolation: Layers = { egress: layer([]), ingress: layer([]) };

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

/** What was found of a pod last, by its labels object, and what it was found in. */
type Found = {
  set: PolicySet;
  tiers: TierLayer;
  layer: Layer;
  namespace: string;
  namespaceLabels: Labels;
  namespaceLabelsKnown: false | undefined;
  selection: Selection;
};

const found: { readonly [Side in Direction]: WeakMap<Labels, Found> } = {
  egress: new WeakMap(),
  ingress: new WeakMap(),
};

/** Which policies touch the pod in that direction (rules 1, 21 and 23). */
export function selectionOf(set: PolicySet, pod: PodParty, direction: Direction): Selection {
  const { namespace, labels, namespaceLabels, namespaceLabelsKnown } = pod;
  const known = found[direction].get(labels);
  const isHere =
    known !== undefined &&
    known.namespaceLabels === namespaceLabels &&
    known.namespace === namespace &&
    known.namespaceLabelsKnown === namespaceLabelsKnown;
  if (isHere && known.set === set) return known.selection;
  const tiers = set.tiers[direction];
  const layer = (set.byNamespace.get(namespace) ?? noIsolation)[direction];
  if (isHere && known.layer === layer && known.tiers === tiers) {
    known.set = set;
    return known.selection;
  }
  const selection = select(tiers, layer, pod);
  found[direction].set(labels, { set, tiers, layer, namespace, namespaceLabels, namespaceLabelsKnown, selection });
  return selection;
}

function select(tierLayer: TierLayer, { parts }: Layer, pod: PodParty): Selection {
  const { labels } = pod;
  const tiers = tiersOf(tierLayer, pod).filter(({ of }) => maySelect(of.subject?.podSelector, labels));
  // A broken policy whose selector cannot be read may select every pod.
  const isolations = parts.filter(({ of }) => maySelect(of.podSelector, labels));
  return theSelection(tiers, isolations);
}

function tiersOf({ parts, ofNamespace }: TierLayer, pod: PodParty): readonly Tiered[] {
  const { namespaceLabels, namespaceLabelsKnown } = pod;
  if (parts.length === 0) return parts;
  if (namespaceLabelsKnown === false) return parts.flatMap((part) => asFarAsKnown(part, namespaceLabels));
  const known = ofNamespace.get(namespaceLabels);
  if (known !== undefined) return known;
  const taken = parts.filter(({ of }) => maySelect(of.subject?.namespaceSelector, namespaceLabels));
  ofNamespace.set(namespaceLabels, taken);
  return taken;
}

/** Of a namespace with labels that are not known. */
function asFarAsKnown(part: Tiered, known: Labels): Tiered | [] {
  const selector = part.of.subject?.namespaceSelector;
  switch (selector === undefined ? 'yes' : mayAlsoSelect(selector, known)) {
    case 'yes':
      return part;
    case 'no':
      return [];
    case 'maybe-labelled':
      return mayNotTouch(part);
  }
}

function maySelect(selector: LabelSelector | undefined, labels: Labels): boolean {
  return selector === undefined || selects(selector, labels);
}

/** The selections whose first parts are the same, down to the one that has no more. */
type Selections = { selection: Selection | undefined; longer: WeakMap<Isolation | Tiered, Selections> };

const selections: Selections = { selection: undefined, longer: new WeakMap() };

/**
 * The one selection of these parts: what is kept for it outlives every change that does not touch it, and goes with its
 * parts.
 */
function theSelection(tiers: readonly Tiered[], isolations: readonly Isolation[]): Selection {
  let at = selections;
  for (const part of tiers) at = longer(at, part);
  for (const part of isolations) at = longer(at, part);
  if (at.selection !== undefined) return at.selection;
  const isolating = isolations.filter(({ of }) => of.broken === undefined);
  at.selection = {
    admin: tiers.filter(({ of }) => of.tier === 'Admin').sort(byPriority),
    isolating,
    isolatedBy: isolating.map(({ policy }) => policy),
    index: portIndexOf(isolating),
    broken: isolations.filter(({ of }) => of.broken !== undefined).map(({ policy }) => policy),
    baseline: tiers.filter(({ of }) => of.tier === 'Baseline').sort(byPriority),
  };
  return at.selection;
}

function longer(at: Selections, part: Isolation | Tiered): Selections {
  const known = at.longer.get(part);
  if (known !== undefined) return known;
  const fresh: Selections = { selection: undefined, longer: new WeakMap() };
  at.longer.set(part, fresh);
  return fresh;
}

/** One whose priority cannot be read may stand before all others (rule 17). */
export function priorityOf({ of }: Tiered): number {
  return of.priority ?? -1;
}

function byPriority(a: Tiered, b: Tiered): number {
  return priorityOf(a) - priorityOf(b);
}

function layer(parts: readonly Isolation[]): Layer {
  return { parts };
}

function tierLayer(parts: readonly Tiered[]): TierLayer {
  return { parts, ofNamespace: new WeakMap() };
}

/** By kind and name, so that a set says the same whatever the order in which its policies came. */
function sorted<Part extends Isolation | Tiered>(parts: Part[]): Part[] {
  return parts.sort((a, b) => compare(a.policy.kind, b.policy.kind) || compare(a.policy.name, b.policy.name));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
