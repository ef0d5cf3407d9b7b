// NetworkPolicy and GlobalNetworkPolicy of Calico (projectcalico.org/v3, crd.projectcalico.org/v1): which pods they select, and
// what they may do. Both groups hold the same specs.
import {
  type Effects,
  everyEffect,
  type LabelTest,
  noPod,
  type RecognisedPart,
  type Subject,
  unknownSubject,
} from '../../../model/recognised-policy.ts';
import { calicoSelector } from './calico-selector.ts';
import { inNamespace } from './label-selector.ts';
import { fieldOf, listOf, mapOf } from './raw.ts';

export function calicoParts(object: unknown, namespace: string): RecognisedPart[] {
  const spec = fieldOf(object, 'spec') ?? {};
  if (mapOf(spec) === undefined) return [{ subject: unknownSubject, ingress: everyEffect, egress: everyEffect }];
  // These judge packets at host endpoints, before they belong to a connection of a pod.
  if (namespace === '' && (fieldOf(spec, 'doNotTrack') === true || fieldOf(spec, 'preDNAT') === true)) return [];
  const { ingress, egress } = directionsOf(spec);
  return [
    {
      subject: subjectOf(spec, namespace),
      ...(ingress && { ingress: effectsOf(fieldOf(spec, 'ingress')) }),
      ...(egress && { egress: effectsOf(fieldOf(spec, 'egress')) }),
    },
  ];
}

function subjectOf(spec: unknown, namespace: string): Subject {
  const pods = selectorField(spec, 'selector', podTest);
  const serviceAccounts = selectorField(spec, 'serviceAccountSelector', () => unknownSubject);
  const where = namespace === '' ? selectorField(spec, 'namespaceSelector', namespaceTest) : inNamespace(namespace);
  return { is: 'all', of: [where, pods, serviceAccounts] };
}

/** A missing or empty selector selects everything. */
function selectorField(spec: unknown, name: string, testOf: (test: LabelTest | 'global') => Subject): Subject {
  const text = fieldOf(spec, name) ?? '';
  return typeof text === 'string' ? calicoSelector(text, testOf) : unknownSubject;
}

/** Calico adds labels to pods, of which only the namespace is known here. */
function podTest(test: LabelTest | 'global'): Subject {
  if (test === 'global') return unknownSubject;
  const { key } = test;
  if (key === 'projectcalico.org/namespace') return { is: 'namespace-name', test };
  return key.startsWith('projectcalico.org/') || key.startsWith('pcns.') || key.startsWith('pcsa.')
    ? unknownSubject
    : { is: 'pod', test };
}

/** `global()` selects what has no namespace, which no pod is. */
function namespaceTest(test: LabelTest | 'global'): Subject {
  if (test === 'global') return noPod;
  return test.key === 'projectcalico.org/name' ? { is: 'namespace-name', test } : { is: 'namespace', test };
}

/** Without types: ingress, or egress if there are only egress rules, or both if there are both. */
function directionsOf(spec: unknown): { ingress: boolean; egress: boolean } {
  const types = listOf(fieldOf(spec, 'types'));
  const [ingressRules, egressRules] = [listOf(fieldOf(spec, 'ingress')), listOf(fieldOf(spec, 'egress'))];
  if (types === 'unreadable' || ingressRules === 'unreadable' || egressRules === 'unreadable')
    return { ingress: true, egress: true };
  if (types.length === 0)
    return { ingress: ingressRules.length > 0 || egressRules.length === 0, egress: egressRules.length > 0 };
  if (!types.every((type) => type === 'Ingress' || type === 'Egress')) return { ingress: true, egress: true };
  return { ingress: types.includes('Ingress'), egress: types.includes('Egress') };
}

/** The tier denies what none of its policies decides. Pass leaves the tier, so it may allow what a later policy denies. */
function effectsOf(rules: unknown): Effects {
  const list = listOf(rules);
  if (list === 'unreadable') return everyEffect;
  const actions = list.map((rule) => fieldOf(rule, 'action'));
  const allows = actions.some((action) => action !== 'Deny' && action !== 'Log');
  const denies = actions.some((action) => action !== 'Allow' && action !== 'Pass' && action !== 'Log');
  return { ...(allows && { allow: true }), ...(denies && { deny: true }), isolate: true };
}
