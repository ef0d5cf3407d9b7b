// AuthorizationPolicy of Istio (security.istio.io): which workloads it applies to. A proxy enforces it on what the network
// has delivered.
import { type RecognisedPart, type Subject, unknownSubject } from '../../../model/recognised-policy.ts';
import { inNamespace, labelSelector, podTest } from './label-selector.ts';
import { fieldOf, isGiven } from './raw.ts';

/** A policy in this namespace applies to all namespaces, unless the mesh is configured otherwise. */
export const rootNamespace = 'istio-system';

export function istioParts(object: unknown, namespace: string): RecognisedPart[] {
  const spec = fieldOf(object, 'spec');
  // AUDIT and dry runs decide nothing.
  const annotations = fieldOf(fieldOf(object, 'metadata'), 'annotations');
  if (fieldOf(spec, 'action') === 'AUDIT' || fieldOf(annotations, 'istio.io/dry-run') === 'true') return [];
  return [{ subject: subjectOf(spec, namespace), ingress: { deny: true } }];
}

function subjectOf(spec: unknown, namespace: string): Subject {
  const own = inNamespace(namespace);
  const where: Subject = namespace === rootNamespace ? { is: 'any', of: [own, unknownSubject] } : own;
  // Gateways and Services are named by targetRefs.
  const named = isGiven(fieldOf(spec, 'targetRef')) || isGiven(fieldOf(spec, 'targetRefs'));
  const selector = fieldOf(spec, 'selector');
  const pods = isGiven(selector) ? [labelSelector(selector, podTest)] : [];
  return { is: 'all', of: [where, ...pods, ...(named ? [unknownSubject] : [])] };
}
