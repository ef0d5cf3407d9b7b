// Random labels and selectors with few keys and values, so they often match.

import type { RawPods, RawRequirement, RawSelector } from './case.ts';
import type { Chance } from './chance.ts';

export const namespaces = ['a', 'b'];
const keys = ['app', 'tier'];
const values = ['x', 'y'];

export function randomLabels(chance: Chance): Record<string, string> {
  return Object.fromEntries(chance.some(keys).map((key) => [key, chance.one(values)]));
}

export function randomSelector(chance: Chance): RawSelector {
  if (chance.once(2)) return {};
  const matchLabels = randomLabels(chance);
  if (chance.once(2)) return { matchLabels };
  return { ...(chance.once(2) && { matchLabels }), matchExpressions: chance.list(0, 2, () => requirement(chance)) };
}

function requirement(chance: Chance): RawRequirement {
  const key = chance.one(keys);
  if (chance.once(2)) return { key, operator: chance.one(['Exists', 'DoesNotExist']) };
  return { key, operator: chance.one(['In', 'NotIn']), values: chance.one([['x'], ['y'], ['x', 'y']]) };
}

export function randomNamespaceSelector(chance: Chance): RawSelector {
  if (!chance.once(3)) return randomSelector(chance);
  return { matchLabels: { 'kubernetes.io/metadata.name': chance.one(namespaces) } };
}

export function randomPods(chance: Chance): RawPods {
  const namespaceSelector = randomNamespaceSelector(chance);
  return chance.once(2) ? { namespaceSelector } : { namespaceSelector, podSelector: randomSelector(chance) };
}
