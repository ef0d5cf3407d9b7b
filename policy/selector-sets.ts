// Compares label selectors: whether one contradicts itself, and whether another one selects everything that it selects.
// The answer is "no" unless the selectors alone prove it.
import type { LabelSelector, Requirement } from '../model/kubernetes.ts';

/** What a selector requires of one key. `oneOf` is undefined if every value matches. */
type KeyConstraint = {
  present: boolean;
  absent: boolean;
  oneOf: ReadonlySet<string> | undefined;
  noneOf: ReadonlySet<string>;
};

export const namespaceNameLabel = 'kubernetes.io/metadata.name';
/** Every namespace has its name as a label (rule 16). */
export const everyNamespace: LabelSelector = [{ key: namespaceNameLabel, operator: 'Exists', values: [] }];

/** The key whose requirements contradict each other; undefined if no key does. */
export function contradictoryKey(selector: LabelSelector): string | undefined {
  for (const [key, constraint] of constraintsOf(selector)) if (isImpossible(constraint)) return key;
  return undefined;
}

/** Whether `outer` selects everything that `inner` selects. */
export function isWithin(inner: LabelSelector, outer: LabelSelector): boolean {
  const constraints = constraintsOf(inner);
  return outer.every((requirement) => isImplied(requirement, constraints.get(requirement.key)));
}

function isImplied({ operator, values }: Requirement, constraint: KeyConstraint | undefined): boolean {
  if (constraint === undefined) return false;
  const { present, absent, oneOf, noneOf } = constraint;
  switch (operator) {
    case 'In':
      return oneOf !== undefined && [...oneOf].every((value) => values.includes(value));
    case 'NotIn':
      if (absent) return true;
      return oneOf === undefined
        ? values.every((value) => noneOf.has(value))
        : !values.some((value) => oneOf.has(value));
    case 'Exists':
      return present;
    case 'DoesNotExist':
      return absent;
  }
}

/** The names of the only namespaces that it can select; undefined if it does not name them. */
export function selectedNamespaceNames(namespaceSelector: LabelSelector): readonly string[] | undefined {
  const names = constraintsOf(namespaceSelector).get(namespaceNameLabel)?.oneOf;
  return names && [...names];
}

/** Whether it may select a namespace if only the name of the namespace is known. */
export function maySelectNamespace(namespaceSelector: LabelSelector, name: string): boolean {
  return (
    contradictoryKey([...namespaceSelector, { key: namespaceNameLabel, operator: 'In', values: [name] }]) === undefined
  );
}

function constraintsOf(selector: LabelSelector): Map<string, KeyConstraint> {
  const constraints = new Map<string, KeyConstraint>();
  for (const { key, operator, values } of selector) {
    let { present, absent, oneOf, noneOf } = constraints.get(key) ?? unconstrained;
    present ||= operator === 'In' || operator === 'Exists';
    absent ||= operator === 'DoesNotExist';
    if (operator === 'NotIn') noneOf = new Set([...noneOf, ...values]);
    if (operator === 'In') oneOf = new Set(values.filter((value) => oneOf === undefined || oneOf.has(value)));
    if (oneOf !== undefined) oneOf = new Set([...oneOf].filter((value) => !noneOf.has(value)));
    constraints.set(key, { present, absent, oneOf, noneOf });
  }
  return constraints;
}

const unconstrained: KeyConstraint = { present: false, absent: false, oneOf: undefined, noneOf: new Set() };

function isImpossible({ present, absent, oneOf }: KeyConstraint): boolean {
  return (present && absent) || oneOf?.size === 0;
}
