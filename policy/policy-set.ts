// The policies in force at one time, by namespace. Immutable; made once for each list of policies.
import type { NetworkPolicy } from '../model/kubernetes.ts';

export type PolicySet = { readonly byNamespace: ReadonlyMap<string, readonly NetworkPolicy[]> };

const compiled = new WeakMap<readonly NetworkPolicy[], PolicySet>();

/** The same list gives the same set: callers may ask for each connection. */
export function compilePolicies(policies: readonly NetworkPolicy[]): PolicySet {
  const known = compiled.get(policies);
  if (known !== undefined) return known;
  const set = { byNamespace: Map.groupBy(policies, (policy) => policy.namespace) };
  compiled.set(policies, set);
  return set;
}
