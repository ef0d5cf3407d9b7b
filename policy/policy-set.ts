// A set of policies with fast lookup of those that select a pod. Sets are immutable: a change makes a new set, which
// shares all unaffected parts and cached results with the old one.
import {
  type AnyPolicy,
  isRecognised,
  isUnread,
  type LabelSelector,
  type Labels,
  type Policy,
} from '../model/kubernetes.ts';
import type { Direction, PolicyRef } from '../model/verdict.ts';
import {
  asMayNotApply,
  type Compiled,
  compiledIsolation,
  compiledTierPolicy,
  type Isolation,
  isClusterPolicy,
  type TierPolicy,
} from './compile.ts';
import type { PodParty } from './peers.ts';
import { type PortIndex, portIndexOf } from './port-index.ts';
import {
  changedLayer,
  emptyLayer,
  isAfterNetwork,
  maySelect as maySelectPod,
  type RecognisedLayer,
  type RecognisedSide,
  recognisedLayer,
  sidesInNamespace,
} from './recognised-layer.ts';
import { selects, selectsPod, selectsWithPartialLabels } from './selectors.ts';

/** The policies that select a pod in one direction. Pods with the same policies share one object, also across sets. */
export type Selection = {
  /** By priority, lower first; policies of the same priority by name. */
  readonly admin: readonly TierPolicy[];
  readonly isolating: readonly Isolation[];
  readonly isolatedBy: readonly PolicyRef[];
  readonly index: PortIndex;
  /** Policies that isolate the pod if a label has the value that they require, and that value is not known (rule 16a). */
  readonly uncertain: readonly Isolation[];
  /** Broken policies, which may isolate the pod (rule 17). */
  readonly broken: readonly PolicyRef[];
  readonly baseline: readonly TierPolicy[];
  /** Policies of other APIs that may select the pod. They are not evaluated. */
  readonly recognised: readonly RecognisedSide[];
  /** Of these APIs too: they act on what the network delivered, so they do not change the verdict. */
  readonly afterNetwork: readonly RecognisedSide[];
  /** The policies of `afterNetwork`, each once. */
  readonly afterNetworkPolicies: readonly PolicyRef[];
};

/** Parts by name. An unchanged layer is the same object in the next set. */
type Layer = { readonly parts: readonly Isolation[] };
type Layers = { readonly [Side in Direction]: Layer };
type TierLayer = {
  readonly parts: readonly TierPolicy[];
  /** The policies whose subject selects a namespace, by the labels of the namespace. */
  readonly byNamespaceLabels: WeakMap<Labels, readonly TierPolicy[]>;
};
type TierLayers = { readonly [Side in Direction]: TierLayer };
type RecognisedLayers = { readonly [Side in Direction]: RecognisedLayer };

export type PolicySet = {
  readonly byNamespace: ReadonlyMap<string, Layers>;
  readonly tiers: TierLayers;
  /** The places of documents that cannot be read and may define any object, also the pod that has an address. */
  readonly unread: readonly string[];
  readonly recognised: RecognisedLayers;
};

const sets = new WeakMap<readonly AnyPolicy[], PolicySet>();

export const emptyPolicySet: PolicySet = {
  byNamespace: new Map(),
  tiers: { egress: tierLayer([]), ingress: tierLayer([]) },
  unread: [],
  recognised: { egress: emptyLayer, ingress: emptyLayer },
};

/** The same array gives the same set. After a change of a policy, pass a new array or use `withPolicy`. */
export function compilePolicies(policies: readonly AnyPolicy[]): PolicySet {
  const cached = sets.get(policies);
  if (cached !== undefined) return cached;
  const isolations = new Map<string, Compiled<Isolation>[]>();
  const tierPolicies: Compiled<TierPolicy>[] = [];
  const others = policies.filter(isRecognised);
  for (const policy of policies) {
    if (isRecognised(policy)) continue;
    if (isClusterPolicy(policy)) tierPolicies.push(compiledTierPolicy(policy));
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
    egress: tierLayer(sorted(tierPolicies.flatMap(({ egress }) => egress ?? []))),
    ingress: tierLayer(sorted(tierPolicies.flatMap(({ ingress }) => ingress ?? []))),
  };
  const recognised = { egress: recognisedLayer(others, 'egress'), ingress: recognisedLayer(others, 'ingress') };
  const set = { byNamespace, tiers, unread: unreadPlaces(tiers), recognised };
  sets.set(policies, set);
  return set;
}

/** Adds `policy`, or replaces the policy of the same kind, namespace and name. */
export function withPolicy(set: PolicySet, policy: AnyPolicy): PolicySet {
  return applyChange(set, policy, 'put');
}

export function withoutPolicy(set: PolicySet, policy: AnyPolicy): PolicySet {
  return applyChange(set, policy, 'gone');
}

function applyChange(set: PolicySet, policy: AnyPolicy, how: 'put' | 'gone'): PolicySet {
  const { byNamespace, tiers, recognised } = set;
  if (isRecognised(policy)) {
    const egress = changedLayer(recognised.egress, policy, 'egress', how);
    const ingress = changedLayer(recognised.ingress, policy, 'ingress', how);
    return { ...set, recognised: { egress, ingress } };
  }
  if (isClusterPolicy(policy)) {
    const parts = how === 'put' ? compiledTierPolicy(policy) : noParts;
    const egress = replaced(tiers.egress.parts, policy, parts.egress);
    const ingress = replaced(tiers.ingress.parts, policy, parts.ingress);
    const changed = {
      egress: egress === tiers.egress.parts ? tiers.egress : tierLayer(egress),
      ingress: ingress === tiers.ingress.parts ? tiers.ingress : tierLayer(ingress),
    };
    return { ...set, tiers: changed, unread: unreadPlaces(changed) };
  }
  const parts = how === 'put' ? compiledIsolation(policy) : noParts;
  const before = byNamespace.get(policy.namespace) ?? noIsolation;
  const egress = replaced(before.egress.parts, policy, parts.egress);
  const ingress = replaced(before.ingress.parts, policy, parts.ingress);
  const namespaces = new Map(byNamespace);
  namespaces.set(policy.namespace, {
    egress: egress === before.egress.parts ? before.egress : layer(egress),
    ingress: ingress === before.ingress.parts ? before.ingress : layer(ingress),
  });
  if (egress.length === 0 && ingress.length === 0) namespaces.delete(policy.namespace);
  return { ...set, byNamespace: namespaces };
}

const noParts = { egress: undefined, ingress: undefined };
const noIsolation: Layers = { egress: layer([]), ingress: layer([]) };

/** Returns the same list if the change does not affect it. */
function replaced<Part extends Isolation | TierPolicy>(
  parts: readonly Part[],
  policy: Policy,
  part: Part | undefined,
): readonly Part[] {
  const others = parts.filter(({ policy: { kind, name } }) => kind !== policy.kind || name !== policy.name);
  if (part === undefined) return others.length === parts.length ? parts : others;
  return sorted([...others, part]);
}

/** The lists of recognised policies that may select a pod: those of its namespace, and those of all namespaces. */
type RecognisedLists = { inNamespace: readonly RecognisedSide[]; everywhere: readonly RecognisedSide[] };

/** The last selection of a pod, and the inputs of that lookup. The key is the pod's labels object. */
type CachedSelection = {
  set: PolicySet;
  tiers: TierLayer;
  layer: Layer;
  recognised: RecognisedLists;
  namespace: string;
  namespaceLabels: Labels;
  namespaceLabelsKnown: false | undefined;
  selection: Selection;
};

const cachedSelections: { readonly [Side in Direction]: WeakMap<Labels, CachedSelection> } = {
  egress: new WeakMap(),
  ingress: new WeakMap(),
};

/** The policies that select the pod in that direction (rules 1, 21 and 23). */
export function selectionOf(set: PolicySet, pod: PodParty, direction: Direction): Selection {
  const { namespace, labels, namespaceLabels, namespaceLabelsKnown } = pod;
  const cached = cachedSelections[direction].get(labels);
  const isSamePod =
    cached !== undefined &&
    cached.namespaceLabels === namespaceLabels &&
    cached.namespace === namespace &&
    cached.namespaceLabelsKnown === namespaceLabelsKnown;
  if (isSamePod && cached.set === set) return cached.selection;
  const tiers = set.tiers[direction];
  const layer = (set.byNamespace.get(namespace) ?? noIsolation)[direction];
  const recognised = recognisedListsOf(set.recognised[direction], namespace);
  if (isSamePod && cached.layer === layer && cached.tiers === tiers && areSame(cached.recognised, recognised)) {
    cached.set = set;
    return cached.selection;
  }
  const selection = select(tiers, layer, recognised, pod);
  cachedSelections[direction].set(labels, {
    set,
    tiers,
    layer,
    recognised,
    namespace,
    namespaceLabels,
    namespaceLabelsKnown,
    selection,
  });
  return selection;
}

function recognisedListsOf(layer: RecognisedLayer, namespace: string): RecognisedLists {
  return { inNamespace: sidesInNamespace(layer, namespace), everywhere: layer.everywhere };
}

function areSame(one: RecognisedLists, other: RecognisedLists): boolean {
  return one.inNamespace === other.inNamespace && one.everywhere === other.everywhere;
}

function select(
  tierLayer: TierLayer,
  { parts }: Layer,
  { inNamespace, everywhere }: RecognisedLists,
  pod: PodParty,
): Selection {
  const { labels } = pod;
  const tiers = tiersOf(tierLayer, pod).flatMap((part) => ifSelected(part, part.object.subject?.podSelector, labels));
  const isolations = parts.flatMap((part) => ifSelected(part, part.object.podSelector, labels));
  const recognised = [...maySelectPod(everywhere, pod), ...maySelectPod(inNamespace, pod)];
  return internedSelection(tiers, isolations, recognised);
}

function tiersOf({ parts, byNamespaceLabels }: TierLayer, pod: PodParty): readonly TierPolicy[] {
  const { namespaceLabels, namespaceLabelsKnown } = pod;
  if (parts.length === 0) return parts;
  if (namespaceLabelsKnown === false) return parts.flatMap((part) => tierPolicyIfSelected(part, namespaceLabels));
  const cached = byNamespaceLabels.get(namespaceLabels);
  if (cached !== undefined) return cached;
  const selected = parts.filter(({ object }) => maySelect(object.subject?.namespaceSelector, namespaceLabels));
  byNamespaceLabels.set(namespaceLabels, selected);
  return selected;
}

/** For a namespace whose labels are not all known. */
function tierPolicyIfSelected(part: TierPolicy, known: Labels): TierPolicy | [] {
  const selector = part.object.subject?.namespaceSelector;
  switch (selector === undefined ? 'yes' : selectsWithPartialLabels(selector, known)) {
    case 'yes':
      return part;
    case 'no':
      return [];
    case 'maybe-labelled':
      return asMayNotApply(part, 'maybe-labelled');
  }
}

/** A broken policy whose selector cannot be read may select every pod. */
function ifSelected<Part extends Isolation | TierPolicy>(
  part: Part,
  podSelector: LabelSelector | undefined,
  labels: Labels,
): Part | [] {
  switch (podSelector === undefined ? 'yes' : selectsPod(podSelector, labels)) {
    case 'yes':
      return part;
    case 'no':
      return [];
    case 'maybe-valued':
      return asMayNotApply(part, 'maybe-valued');
  }
}

function maySelect(selector: LabelSelector | undefined, labels: Labels): boolean {
  return selector === undefined || selects(selector, labels);
}

/** A trie of selections: each edge is one part, and a node holds the selection of the parts on its path. */
type SelectionTrie = { selection: Selection | undefined; children: WeakMap<SelectedPart, SelectionTrie> };
type SelectedPart = Isolation | TierPolicy | RecognisedSide;

const selectionTrie: SelectionTrie = { selection: undefined, children: new WeakMap() };

/**
 * The only selection object for these parts. Caches that are keyed by it survive all unrelated changes and are freed with
 * the parts.
 */
function internedSelection(
  tiers: readonly TierPolicy[],
  isolations: readonly Isolation[],
  recognised: readonly RecognisedSide[],
): Selection {
  let node = selectionTrie;
  for (const part of tiers) node = childOf(node, part);
  for (const part of isolations) node = childOf(node, part);
  for (const part of recognised) node = childOf(node, part);
  if (node.selection !== undefined) return node.selection;
  const valid = isolations.filter(({ object }) => object.broken === undefined);
  const isolating = valid.filter(({ mayNotApply }) => mayNotApply === undefined);
  const afterNetwork = recognised.filter(isAfterNetwork);
  node.selection = {
    admin: tiers.filter(({ object }) => object.tier === 'Admin').sort(byPriority),
    isolating,
    isolatedBy: isolating.map(({ policy }) => policy),
    index: portIndexOf(isolating),
    uncertain: valid.filter(({ mayNotApply }) => mayNotApply !== undefined),
    broken: isolations.filter(({ object }) => object.broken !== undefined).map(({ policy }) => policy),
    baseline: tiers.filter(({ object }) => object.tier === 'Baseline').sort(byPriority),
    recognised: recognised.filter((one) => !isAfterNetwork(one)),
    afterNetwork,
    afterNetworkPolicies: [...new Set(afterNetwork.map(({ policy }) => policy))],
  };
  return node.selection;
}

function childOf(node: SelectionTrie, part: SelectedPart): SelectionTrie {
  const existing = node.children.get(part);
  if (existing !== undefined) return existing;
  const child: SelectionTrie = { selection: undefined, children: new WeakMap() };
  node.children.set(part, child);
  return child;
}

/** A policy with an invalid priority may come before all others (rule 17). */
export function priorityOf({ object }: TierPolicy): number {
  return object.priority ?? -1;
}

function byPriority(a: TierPolicy, b: TierPolicy): number {
  return priorityOf(a) - priorityOf(b);
}

function layer(parts: readonly Isolation[]): Layer {
  return { parts };
}

function tierLayer(parts: readonly TierPolicy[]): TierLayer {
  return { parts, byNamespaceLabels: new WeakMap() };
}

/** Such a document counts in both directions. */
function unreadPlaces({ egress }: TierLayers): readonly string[] {
  const unread = egress.parts.filter(({ object }) => isUnread(object) && object.subject === undefined);
  return unread.map(({ policy }) => policy.name);
}

/** By kind and name, so the verdicts do not depend on the order of the policies. */
function sorted<Part extends Isolation | TierPolicy>(parts: Part[]): Part[] {
  return parts.sort((a, b) => compare(a.policy.kind, b.policy.kind) || compare(a.policy.name, b.policy.name));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
