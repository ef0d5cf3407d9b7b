// CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy (cilium.io/v2): which endpoints they select, and what they may do.
import {
  type Effects,
  everyEffect,
  type LabelTest,
  noPod,
  type RecognisedPart,
  type Subject,
  unknownSubject,
} from '../../../model/recognised-policy.ts';
import { inOwnNamespace, labelSelector } from './label-selector.ts';
import { fieldOf, isGiven, listOf, mapOf } from './raw.ts';

/** `spec` and each entry of `specs` is a rule of its own. */
export function ciliumParts(object: unknown, namespace: string): RecognisedPart[] {
  const specs = listOf(fieldOf(object, 'specs'));
  const spec = fieldOf(object, 'spec');
  const others = specs === 'unreadable' ? [undefined] : specs;
  return [...(isGiven(spec) ? [spec] : []), ...others].map((one) => partOf(one, namespace));
}

function partOf(spec: unknown, namespace: string): RecognisedPart {
  if (mapOf(spec) === undefined) {
    return { subject: inOwnNamespace(unknownSubject, namespace), ingress: everyEffect, egress: everyEffect };
  }
  // It selects nodes: host policies do not apply to pods.
  if (namespace === '' && isGiven(fieldOf(spec, 'nodeSelector')) && !isGiven(fieldOf(spec, 'endpointSelector')))
    return { subject: noPod };
  const selector = fieldOf(spec, 'endpointSelector');
  const subject = labelSelector(selector, (test) => endpointTest(test, namespace));
  const [ingress, egress] = [effectsOf(spec, 'ingress'), effectsOf(spec, 'egress')];
  return { subject: inOwnNamespace(subject, namespace), ...(ingress && { ingress }), ...(egress && { egress }) };
}

/** An empty list has no effect. An isolated direction denies what no rule of any policy allows. */
function effectsOf(spec: unknown, direction: 'ingress' | 'egress'): Effects | undefined {
  const [allowing, denying] = [listOf(fieldOf(spec, direction)), listOf(fieldOf(spec, `${direction}Deny`))];
  if (allowing === 'unreadable' || denying === 'unreadable') return everyEffect;
  if (allowing.length === 0 && denying.length === 0) return undefined;
  const isolates = fieldOf(fieldOf(spec, 'enableDefaultDeny'), direction) !== false;
  // The rule {} matches nothing.
  const allows = allowing.some((rule) => Object.keys(mapOf(rule) ?? { unreadable: true }).length > 0);
  return {
    ...(allows && { allow: true }),
    ...(denying.length > 0 && { deny: true }),
    ...(isolates && { isolate: true }),
  };
}

const namespaceLabelPrefix = 'io.cilium.k8s.namespace.labels.';

/** Labels have a source: none, `any:` and `k8s:` mean the labels of pods and namespaces. */
function endpointTest(test: LabelTest, namespace: string): Subject {
  const [, source = '', key = ''] = /^(?:([a-z0-9-]+):)?(.*)$/.exec(test.key) ?? [];
  // Cilium's own endpoints, such as the health endpoint. A pod has no label with that source.
  if (source === 'reserved') return test.operator === 'In' || test.operator === 'Exists' ? noPod : unknownSubject;
  if (source !== '' && source !== 'any' && source !== 'k8s') return unknownSubject;
  const own = { ...test, key };
  // In a namespaced policy, Cilium replaces it by the namespace of the policy.
  if (key === 'io.kubernetes.pod.namespace')
    return namespace === '' ? { is: 'namespace-name', test: own } : unknownSubject;
  if (key.startsWith(namespaceLabelPrefix))
    return { is: 'namespace', test: { ...own, key: key.slice(namespaceLabelPrefix.length) } };
  return key === '' || isOutsideIdentity(key) ? unknownSubject : { is: 'pod', test: own };
}

/** By default, the identity of an endpoint lacks these labels; a setting of the agent changes that. */
function isOutsideIdentity(key: string): boolean {
  const prefix = key.includes('/') ? key.slice(0, key.indexOf('/')) : '';
  if (prefix === 'app.kubernetes.io') return false;
  if (/(^|\.)(kubernetes\.io|k8s\.io)$/.test(prefix)) return true;
  return key.startsWith('io.cilium.') || key.startsWith('io.kubernetes') || generatedLabels.has(key);
}

const generatedLabels: ReadonlySet<string> = new Set([
  'pod-template-hash',
  'controller-revision-hash',
  'pod-template-generation',
]);
