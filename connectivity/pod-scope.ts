// Sets of pods by the labels of the pod and of its namespace, as the peers of policies select them: whether one set is
// within another, and whether any pod can be in it.
import type { LabelSelector, Labels, Requirement } from '../model/kubernetes.ts';
import {
  contradictoryKey,
  everyNamespace,
  isWithin,
  namespaceNameLabel,
  selectedNamespaceNames,
} from '../policy/selector-sets.ts';
import { wholeSelectorText } from '../policy/selector-text.ts';
import { selects, selectsPod } from '../policy/selectors.ts';

/** `ownNamespace`: the peer selects only pods of its policy's namespace. `namespaceSelector` does not repeat it. */
export type PodScope = {
  ownNamespace?: string;
  namespaceSelector: LabelSelector;
  podSelector: LabelSelector;
};

/** The labels of namespaces whose labels are all known, by name. */
export type KnownNamespaces = ReadonlyMap<string, Labels>;

export const everyPod: PodScope = { namespaceSelector: [], podSelector: [] };

export function intersection(one: PodScope, other: PodScope): PodScope {
  const ownNamespace = one.ownNamespace ?? other.ownNamespace;
  // Two different namespaces contradict each other in the selector.
  const otherName = one.ownNamespace === undefined ? [] : nameRequirement(other);
  return {
    ...(ownNamespace !== undefined && { ownNamespace }),
    namespaceSelector: union(one.namespaceSelector, [
      ...other.namespaceSelector,
      ...(one.ownNamespace === other.ownNamespace ? [] : otherName),
    ]),
    podSelector: union(one.podSelector, other.podSelector),
  };
}

/** Whether every pod of `inner` is in `outer`. */
export function isScopeWithin(inner: PodScope, outer: PodScope, known: KnownNamespaces): boolean {
  return areNamespacesWithin(inner, outer, known) && isWithin(inner.podSelector, outer.podSelector);
}

/** Whether a pod can be in it. */
export function isPossible(scope: PodScope, known: KnownNamespaces): boolean {
  if (contradictoryKey(scope.podSelector) !== undefined) return false;
  if (contradictoryKey([...namespaceSelectorOf(scope), ...everyNamespace]) !== undefined) return false;
  return namespaceNamesOf(scope, known)?.length !== 0;
}

/** Whether every pod of the scope is also in one of `others`. */
export function isCovered(scope: PodScope, others: readonly PodScope[], known: KnownNamespaces): boolean {
  if (!isPossible(scope, known)) return true;
  const [first, ...rest] = others;
  if (first === undefined || others.length > maxCovering) return false;
  // A pod that is not in `first` misses one of its requirements.
  const misses = [
    ...namespaceSelectorOf(first).map((one) => ({ namespaceSelector: [opposite(one)], podSelector: [] })),
    ...first.podSelector.map((one) => ({ namespaceSelector: [], podSelector: [opposite(one)] })),
  ];
  return misses.every((miss) => isCovered(intersection(scope, miss), rest, known));
}

/** Each further scope multiplies the cases. */
const maxCovering = 10;

/** The only namespaces that its pods can be in; undefined if it does not name them. */
export function namespaceNamesOf(scope: PodScope, known: KnownNamespaces): readonly string[] | undefined {
  const selector = namespaceSelectorOf(scope);
  return selectedNamespaceNames(selector)?.filter((name) => {
    const labels = known.get(name);
    return labels === undefined || selects(selector, labels);
  });
}

/** False if it depends on a label value that is not known. */
export function scopeSelects(scope: PodScope, labels: Labels, namespaceLabels: Labels): boolean {
  return selects(namespaceSelectorOf(scope), namespaceLabels) && selectsPod(scope.podSelector, labels) === 'yes';
}

/** `pod with app=x in namespaces with team=y`, after `noun`. */
export function scopeText({ ownNamespace, namespaceSelector, podSelector }: PodScope, noun: string): string {
  const pods = podSelector.length === 0 ? noun : `${noun} with ${wholeSelectorText(podSelector)}`;
  const labels = namespaceSelector.length === 0 ? '' : ` with ${wholeSelectorText(namespaceSelector)}`;
  if (ownNamespace !== undefined) return `${pods} in namespace ${ownNamespace}${labels}`;
  return labels === '' ? pods : `${pods} in namespaces${labels}`;
}

function areNamespacesWithin(inner: PodScope, outer: PodScope, known: KnownNamespaces): boolean {
  const [innerSelector, outerSelector] = [namespaceSelectorOf(inner), namespaceSelectorOf(outer)];
  if (isWithin([...innerSelector, ...everyNamespace], outerSelector)) return true;
  const names = namespaceNamesOf(inner, known);
  return (
    names?.every((name) => {
      const labels = known.get(name);
      return labels !== undefined && selects(outerSelector, labels);
    }) === true
  );
}

function namespaceSelectorOf(scope: PodScope): LabelSelector {
  return [...nameRequirement(scope), ...scope.namespaceSelector];
}

function nameRequirement({ ownNamespace }: PodScope): LabelSelector {
  return ownNamespace === undefined ? [] : [{ key: namespaceNameLabel, operator: 'In', values: [ownNamespace] }];
}

function union(one: LabelSelector, other: LabelSelector): LabelSelector {
  const texts = new Set(one.map((requirement) => JSON.stringify(requirement)));
  return [...one, ...other.filter((requirement) => !texts.has(JSON.stringify(requirement)))];
}

const opposites = { In: 'NotIn', NotIn: 'In', Exists: 'DoesNotExist', DoesNotExist: 'Exists' } as const;

function opposite(requirement: Requirement): Requirement {
  return { ...requirement, operator: opposites[requirement.operator] };
}
