// EgressFirewall of OVN-Kubernetes and EgressNetworkPolicy of OpenShift SDN: egress of every pod of a namespace to addresses
// outside of the cluster's pods. Allow rules are exceptions from later Deny rules.
import type { RecognisedPart } from '../../../model/recognised-policy.ts';
import { inNamespace } from './label-selector.ts';
import { fieldOf, listOf } from './raw.ts';

export function egressFirewallParts(object: unknown, namespace: string): RecognisedPart[] {
  const rules = listOf(fieldOf(fieldOf(object, 'spec'), 'egress'));
  const onlyAllows = rules !== 'unreadable' && rules.every((rule) => fieldOf(rule, 'type') === 'Allow');
  if (onlyAllows) return [];
  return [{ subject: inNamespace(namespace), egress: { deny: true } }];
}
