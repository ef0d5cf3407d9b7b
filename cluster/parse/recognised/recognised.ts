// A policy of another API that is recognised and not evaluated. Faults in it are no problems: what cannot be read may select
// any pod and do anything that its kind can do.
import {
  everyEffect,
  groupOfKind,
  isNamedPolicyKind,
  isWatchedKind,
  type NamedPolicyKind,
  nameOfKind,
  type RecognisedKind,
  type RecognisedPart,
  type RecognisedPolicy,
  recognisedKinds,
  unknownSubject,
  type WatchedKind,
  watchedFactsOf,
} from '../../../model/recognised-policy.ts';
import { Field } from '../field.ts';
import { groupOf, kindText } from '../kind.ts';
import { metadata } from '../metadata.ts';
import { antreaParts } from './antrea.ts';
import { applicationPolicyParts, awsClusterPolicyParts } from './aws.ts';
import { calicoParts } from './calico.ts';
import { ciliumParts } from './cilium.ts';
import { egressFirewallParts } from './egress-firewall.ts';
import { fqdnPolicyParts } from './gke.ts';
import { istioParts, rootNamespace } from './istio.ts';
import { inNamespace } from './label-selector.ts';
import { fieldOf } from './raw.ts';

/** `namespace` is empty for a kind of the whole cluster. */
type PartsOf = (object: unknown, namespace: string) => RecognisedPart[];

const partsByKind: Record<WatchedKind, PartsOf> = {
  'CiliumNetworkPolicy.cilium.io': ciliumParts,
  'CiliumClusterwideNetworkPolicy.cilium.io': ciliumParts,
  'NetworkPolicy.projectcalico.org': calicoParts,
  'GlobalNetworkPolicy.projectcalico.org': calicoParts,
  'NetworkPolicy.crd.projectcalico.org': calicoParts,
  'GlobalNetworkPolicy.crd.projectcalico.org': calicoParts,
  'NetworkPolicy.crd.antrea.io': antreaParts,
  'ClusterNetworkPolicy.crd.antrea.io': antreaParts,
  'NetworkPolicy.security.antrea.tanzu.vmware.com': antreaParts,
  'ClusterNetworkPolicy.security.antrea.tanzu.vmware.com': antreaParts,
  'FQDNNetworkPolicy.networking.gke.io': fqdnPolicyParts,
  'ApplicationNetworkPolicy.networking.k8s.aws': applicationPolicyParts,
  'ClusterNetworkPolicy.networking.k8s.aws': awsClusterPolicyParts,
  'EgressFirewall.k8s.ovn.org': egressFirewallParts,
  'EgressNetworkPolicy.network.openshift.io': egressFirewallParts,
  'AuthorizationPolicy.security.istio.io': istioParts,
};

/** Undefined if the kind of the object is not one of these. */
export function recognisedKindOf(object: Field): WatchedKind | undefined {
  const { value: kind } = object.at('kind');
  const group = groupOf(object.at('apiVersion').value);
  return recognisedKinds.find((one) => nameOfKind(one) === kind && groupOfKind(one) === group);
}

/** Of a kind that no page lists, and whose name says that it is a network policy. */
export function namedPolicyKindOf(raw: object): NamedPolicyKind | undefined {
  const kind = kindText(raw);
  return kind !== undefined && !isWatchedKind(kind) && isNamedPolicyKind(kind) ? kind : undefined;
}

/** `place` names an object without a name, such as `db.yaml:14`. */
export function recognisedPolicy(raw: object, kind: RecognisedKind, place: () => string): RecognisedPolicy {
  const scope = isWatchedKind(kind) ? watchedFactsOf(kind).scope : scopeOf(raw);
  const { name, namespace, uid, createdUs } = metadata(new Field(raw, []), kind, scope);
  const title = name || `(no name, ${place()})`;
  return {
    kind,
    name: title,
    namespace,
    uid: name === '' ? `${kind}/${namespace}/${title}` : uid,
    createdUs,
    ...(isEverywhere(kind, namespace) && { everywhere: true }),
    parts: partsOf(raw, kind, namespace).filter(({ ingress, egress }) => ingress ?? egress),
  };
}

/** Whether the kind is namespaced is not known. An object without a namespace may be one of the whole cluster. */
function scopeOf(raw: object): 'namespaced' | 'cluster' {
  return fieldOf(fieldOf(raw, 'metadata'), 'namespace') === undefined ? 'cluster' : 'namespaced';
}

/** The selector language of an unlisted kind is not known: it may select any pod of its namespace. */
function partsOf(raw: object, kind: RecognisedKind, namespace: string): RecognisedPart[] {
  if (isWatchedKind(kind)) return partsByKind[kind](raw, namespace);
  const own = namespace === '' ? [] : [inNamespace(namespace)];
  return [{ subject: { is: 'all', of: [...own, unknownSubject] }, ingress: everyEffect, egress: everyEffect }];
}

function isEverywhere(kind: RecognisedKind, namespace: string): boolean {
  return namespace === '' || (kind === 'AuthorizationPolicy.security.istio.io' && namespace === rootNamespace);
}
