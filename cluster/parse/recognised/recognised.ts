// A policy of another API that is recognised and not evaluated. Faults in it are no problems: what cannot be read may select
// any pod and do anything that its kind can do.
import {
  factsOf,
  groupOfKind,
  nameOfKind,
  type RecognisedKind,
  type RecognisedPart,
  type RecognisedPolicy,
  recognisedKinds,
} from '../../../model/recognised-policy.ts';
import { Field } from '../field.ts';
import { groupOf } from '../kind.ts';
import { metadata } from '../metadata.ts';
import { antreaParts } from './antrea.ts';
import { calicoParts } from './calico.ts';
import { ciliumParts } from './cilium.ts';
import { egressFirewallParts } from './egress-firewall.ts';
import { istioParts, rootNamespace } from './istio.ts';

/** `namespace` is empty for a kind of the whole cluster. */
type PartsOf = (object: unknown, namespace: string) => RecognisedPart[];

const partsByKind: Record<RecognisedKind, PartsOf> = {
  'CiliumNetworkPolicy.cilium.io': ciliumParts,
  'CiliumClusterwideNetworkPolicy.cilium.io': ciliumParts,
  'NetworkPolicy.projectcalico.org': calicoParts,
  'GlobalNetworkPolicy.projectcalico.org': calicoParts,
  'NetworkPolicy.crd.projectcalico.org': calicoParts,
  'GlobalNetworkPolicy.crd.projectcalico.org': calicoParts,
  'NetworkPolicy.crd.antrea.io': antreaParts,
  'ClusterNetworkPolicy.crd.antrea.io': antreaParts,
  'EgressFirewall.k8s.ovn.org': egressFirewallParts,
  'EgressNetworkPolicy.network.openshift.io': egressFirewallParts,
  'AuthorizationPolicy.security.istio.io': istioParts,
};

/** Undefined if the kind of the object is not one of these. */
export function recognisedKindOf(object: Field): RecognisedKind | undefined {
  const { value: kind } = object.at('kind');
  const group = groupOf(object.at('apiVersion').value);
  return recognisedKinds.find((one) => nameOfKind(one) === kind && groupOfKind(one) === group);
}

/** `place` names an object without a name, such as `db.yaml:14`. */
export function recognisedPolicy(raw: object, kind: RecognisedKind, place: () => string): RecognisedPolicy {
  const { scope } = factsOf(kind);
  const { name, namespace, uid, createdUs } = metadata(new Field(raw, []), kind, scope);
  const title = name || `(no name, ${place()})`;
  return {
    kind,
    name: title,
    namespace,
    uid: name === '' ? `${kind}/${namespace}/${title}` : uid,
    createdUs,
    ...(isEverywhere(kind, namespace) && { everywhere: true }),
    parts: partsByKind[kind](raw, namespace).filter(({ ingress, egress }) => ingress ?? egress),
  };
}

function isEverywhere(kind: RecognisedKind, namespace: string): boolean {
  return namespace === '' || (kind === 'AuthorizationPolicy.security.istio.io' && namespace === rootNamespace);
}
