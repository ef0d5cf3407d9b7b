// FQDNNetworkPolicy of GKE (networking.gke.io): egress of its pods to names. It isolates them, as a NetworkPolicy does.
import type { Effects, RecognisedPart } from '../../../model/recognised-policy.ts';
import { inNamespace, labelSelector, podTest } from './label-selector.ts';
import { fieldOf, listOf } from './raw.ts';

export function fqdnPolicyParts(object: unknown, namespace: string): RecognisedPart[] {
  const spec = fieldOf(object, 'spec');
  const selector = labelSelector(fieldOf(spec, 'podSelector'), podTest);
  const rules = listOf(fieldOf(spec, 'egress'));
  const allows = rules === 'unreadable' || rules.length > 0;
  const egress: Effects = { isolate: true, ...(allows && { allow: true }) };
  return [{ subject: { is: 'all', of: [inNamespace(namespace), selector] }, egress }];
}
