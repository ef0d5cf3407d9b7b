// Reports the objects that are not used, because a kind among them may be misspelled, and the policies that are not evaluated.
import { escapeControls } from '../../model/escape.ts';
import type { RecognisedPolicy } from '../../model/recognised-policy.ts';
import { policyText } from '../../policy/explain.ts';
import { listText } from '../../policy/list-text.ts';

/** `ignored 3 objects of other kinds (ConfigMap 2, Secret 1)`; undefined without such objects. */
export function ignoredKindsText(kinds: ReadonlyMap<string, number>, which = 'other kinds'): string | undefined {
  const counts = [...kinds].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  const count = counts.reduce((sum, [, one]) => sum + one, 0);
  if (count === 0) return undefined;
  const each = listText(counts.map(([kind, one]) => `${escapeControls(kind)} ${one}`));
  return `ignored ${count} ${count === 1 ? 'object' : 'objects'} of ${which} (${each})`;
}

/** `ignored 2 objects of kinds that may be policies (Policy.acme.example 2)`; undefined without such objects. */
export function unreadPoliciesText(kinds: ReadonlyMap<string, number>): string | undefined {
  const policies = [...kinds].filter(([kind]) => /Policy(\.|$)/.test(kind));
  return ignoredKindsText(new Map(policies), 'kinds that may be policies');
}

/** `2 policies not evaluated (CiliumNetworkPolicy shop/db, CiliumNetworkPolicy shop/web)`; undefined without such policies. */
export function notEvaluatedText(policies: readonly RecognisedPolicy[]): string | undefined {
  if (policies.length === 0) return undefined;
  const names = listText(policies.map((policy) => escapeControls(policyText(policy))));
  return `${policies.length} ${policies.length === 1 ? 'policy' : 'policies'} not evaluated (${names})`;
}
