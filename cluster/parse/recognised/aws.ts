// ApplicationNetworkPolicy and ClusterNetworkPolicy of Amazon EKS (networking.k8s.aws). Both have the form of the policies of
// Kubernetes, and may name destinations by domain names.
import {
  type Effects,
  everyEffect,
  type RecognisedPart,
  type Subject,
  unknownSubject,
} from '../../../model/recognised-policy.ts';
import { inNamespace, labelSelector, namespaceTest, podTest } from './label-selector.ts';
import { fieldOf, isGiven, listOf, mapOf } from './raw.ts';

/** The directions are in `policyTypes`; if that cannot be read, both. */
export function applicationPolicyParts(object: unknown, namespace: string): RecognisedPart[] {
  const spec = fieldOf(object, 'spec');
  const selector = labelSelector(fieldOf(spec, 'podSelector'), podTest);
  const types = fieldOf(spec, 'policyTypes');
  const listed = Array.isArray(types) && types.length > 0 ? (types as readonly unknown[]) : ['Ingress', 'Egress'];
  const isReadable = listed.every((type) => type === 'Ingress' || type === 'Egress');
  const effects: Effects = { allow: true, isolate: true };
  return [
    {
      subject: { is: 'all', of: [inNamespace(namespace), selector] },
      ...((!isReadable || listed.includes('Ingress')) && { ingress: effects }),
      ...((!isReadable || listed.includes('Egress')) && { egress: effects }),
    },
  ];
}

/** A direction without rules has no effect. */
export function awsClusterPolicyParts(object: unknown): RecognisedPart[] {
  const spec = fieldOf(object, 'spec');
  if (mapOf(spec) === undefined) return [{ subject: unknownSubject, ingress: everyEffect, egress: everyEffect }];
  const [ingress, egress] = [effectsOf(fieldOf(spec, 'ingress')), effectsOf(fieldOf(spec, 'egress'))];
  return [{ subject: subjectOf(fieldOf(spec, 'subject')), ...(ingress && { ingress }), ...(egress && { egress }) }];
}

/** Pass skips the NetworkPolicies or not, which may allow or deny. */
function effectsOf(raw: unknown): Effects | undefined {
  const rules = listOf(raw);
  if (rules === 'unreadable') return everyEffect;
  if (rules.length === 0) return undefined;
  const actions = rules.map((rule) => fieldOf(rule, 'action'));
  return {
    ...(actions.some((action) => action !== 'Deny') && { allow: true }),
    ...(actions.some((action) => action !== 'Accept') && { deny: true }),
  };
}

function subjectOf(raw: unknown): Subject {
  const [namespaces, pods] = [fieldOf(raw, 'namespaces'), fieldOf(raw, 'pods')];
  if (isGiven(namespaces) && !isGiven(pods)) return labelSelector(namespaces, namespaceTest);
  if (!isGiven(pods) || isGiven(namespaces)) return unknownSubject;
  const namespaceSubject = labelSelector(fieldOf(pods, 'namespaceSelector'), namespaceTest);
  return { is: 'all', of: [namespaceSubject, labelSelector(fieldOf(pods, 'podSelector'), podTest)] };
}
