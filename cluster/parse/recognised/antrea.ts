// NetworkPolicy and ClusterNetworkPolicy of Antrea (crd.antrea.io): which pods they are applied to, and what they may do.
import {
  type Effects,
  everyEffect,
  noPod,
  type RecognisedPart,
  type Subject,
  unknownSubject,
} from '../../../model/recognised-policy.ts';
import { inOwnNamespace, labelSelector, namespaceTest, podTest } from './label-selector.ts';
import { fieldOf, isGiven, listOf, mapOf } from './raw.ts';

/** A policy is applied to pods as a whole, or rule by rule. */
export function antreaParts(object: unknown, namespace: string): RecognisedPart[] {
  const spec = fieldOf(object, 'spec');
  const everything = { ingress: everyEffect, egress: everyEffect };
  if (mapOf(spec) === undefined) return [{ subject: inOwnNamespace(unknownSubject, namespace), ...everything }];
  const applied = fieldOf(spec, 'appliedTo');
  return (['ingress', 'egress'] as const).flatMap((direction): RecognisedPart[] => {
    const rules = listOf(fieldOf(spec, direction));
    if (rules === 'unreadable')
      return [{ subject: inOwnNamespace(unknownSubject, namespace), [direction]: everyEffect }];
    return rules.map((rule) => {
      const subject = subjectOf(isGiven(applied) ? applied : fieldOf(rule, 'appliedTo'), namespace);
      return { subject, [direction]: effectsOf(rule) };
    });
  });
}

/**
 * Native policies isolate nothing. Pass skips the other native policies, which may allow or deny. With `l7Protocols`, Allow
 * denies the requests that these do not match.
 */
function effectsOf(rule: unknown): Effects {
  const action = fieldOf(rule, 'action');
  const protocols = listOf(fieldOf(rule, 'l7Protocols'));
  if (action === 'Allow' && protocols.length === 0) return { allow: true };
  return action === 'Drop' || action === 'Reject' ? { deny: true } : { allow: true, deny: true };
}

function subjectOf(appliedTo: unknown, namespace: string): Subject {
  const entries = listOf(appliedTo);
  if (entries === 'unreadable' || entries.length === 0) return inOwnNamespace(unknownSubject, namespace);
  return inOwnNamespace({ is: 'any', of: entries.map(entrySubject) }, namespace);
}

/** Groups, service accounts and Services are not read. Nodes and external entities are no pods. */
function entrySubject(entry: unknown): Subject {
  const map = mapOf(entry);
  if (map === undefined) return unknownSubject;
  const keys = Object.keys(map).filter((key) => isGiven(map[key]));
  if (keys.length === 1 && (keys[0] === 'nodeSelector' || keys[0] === 'externalEntitySelector')) return noPod;
  if (keys.length === 0 || keys.some((key) => key !== 'podSelector' && key !== 'namespaceSelector'))
    return unknownSubject;
  const { podSelector, namespaceSelector } = map;
  return {
    is: 'all',
    of: [
      ...(isGiven(podSelector) ? [labelSelector(podSelector, podTest)] : []),
      ...(isGiven(namespaceSelector) ? [labelSelector(namespaceSelector, namespaceTest)] : []),
    ],
  };
}
