// Policies of other APIs than Kubernetes' own. Waybill recognises them: it knows which pods they may select and whether they
// may allow or deny, and it does not evaluate their rules (docs/policy-kinds.md).

/** What a policy of the kind may do to a connection, at most. `after-network` acts on what the network delivered. */
export type RecognisedFacts = {
  /** Missing for a kind that is recognised by its name only. */
  enforcedBy?: 'Cilium' | 'Calico' | 'Antrea' | 'OVN-Kubernetes' | 'OpenShift SDN' | 'Istio' | 'GKE' | 'Amazon VPC CNI';
  mayAllow: boolean;
  mayDeny: boolean;
  acts: 'in-network' | 'after-network';
  /** Evaluated after the Admin tier, whose decisions are final. */
  afterAdmin?: true;
  /** Only egress to ends that are no pods. */
  egressToOutside?: true;
  /** What can deny traffic from the pod's own node to the pod. */
  ownNodeIngress?: 'nothing' | 'deny-rules';
};

export type WatchedFacts = RecognisedFacts & {
  enforcedBy: string;
  /** The version that the collector watches. Manifests may have any version of the group. */
  version: string;
  /** The plural, as in a request path and in a ClusterRole. */
  resource: string;
  scope: 'namespaced' | 'cluster';
};

const cilium = { enforcedBy: 'Cilium', version: 'v2', acts: 'in-network', mayAllow: true, mayDeny: true } as const;
const afterAdmin = { afterAdmin: true, ownNodeIngress: 'deny-rules' } as const;
const calico = { enforcedBy: 'Calico', acts: 'in-network', mayAllow: true, mayDeny: true } as const;
const calicoNode = { ownNodeIngress: 'nothing' } as const;
const antrea = { enforcedBy: 'Antrea', version: 'v1beta1', acts: 'in-network', mayAllow: true, mayDeny: true } as const;
const formerAntrea = { ...antrea, version: 'v1alpha1' } as const;
const aws = {
  enforcedBy: 'Amazon VPC CNI',
  version: 'v1alpha1',
  acts: 'in-network',
  mayAllow: true,
  mayDeny: true,
} as const;
const egressFirewall = {
  acts: 'in-network',
  mayAllow: false,
  mayDeny: true,
  egressToOutside: true,
  scope: 'namespaced',
  version: 'v1',
} as const;

/** By `KIND.GROUP`, because kinds of several groups share names. */
const facts = {
  'CiliumNetworkPolicy.cilium.io': { ...cilium, ...afterAdmin, scope: 'namespaced', resource: 'ciliumnetworkpolicies' },
  'CiliumClusterwideNetworkPolicy.cilium.io': {
    ...cilium,
    ...afterAdmin,
    scope: 'cluster',
    resource: 'ciliumclusterwidenetworkpolicies',
  },
  'NetworkPolicy.projectcalico.org': {
    ...calico,
    ...calicoNode,
    version: 'v3',
    scope: 'namespaced',
    resource: 'networkpolicies',
  },
  'GlobalNetworkPolicy.projectcalico.org': {
    ...calico,
    ...calicoNode,
    version: 'v3',
    scope: 'cluster',
    resource: 'globalnetworkpolicies',
  },
  'NetworkPolicy.crd.projectcalico.org': {
    ...calico,
    ...calicoNode,
    version: 'v1',
    scope: 'namespaced',
    resource: 'networkpolicies',
  },
  'GlobalNetworkPolicy.crd.projectcalico.org': {
    ...calico,
    ...calicoNode,
    version: 'v1',
    scope: 'cluster',
    resource: 'globalnetworkpolicies',
  },
  'NetworkPolicy.crd.antrea.io': { ...antrea, scope: 'namespaced', resource: 'networkpolicies' },
  'ClusterNetworkPolicy.crd.antrea.io': { ...antrea, scope: 'cluster', resource: 'clusternetworkpolicies' },
  'NetworkPolicy.security.antrea.tanzu.vmware.com': {
    ...formerAntrea,
    scope: 'namespaced',
    resource: 'networkpolicies',
  },
  'ClusterNetworkPolicy.security.antrea.tanzu.vmware.com': {
    ...formerAntrea,
    scope: 'cluster',
    resource: 'clusternetworkpolicies',
  },
  'FQDNNetworkPolicy.networking.gke.io': {
    enforcedBy: 'GKE',
    version: 'v1alpha1',
    acts: 'in-network',
    mayAllow: true,
    mayDeny: true,
    scope: 'namespaced',
    resource: 'fqdnnetworkpolicies',
  },
  'ApplicationNetworkPolicy.networking.k8s.aws': {
    ...aws,
    scope: 'namespaced',
    resource: 'applicationnetworkpolicies',
  },
  'ClusterNetworkPolicy.networking.k8s.aws': { ...aws, scope: 'cluster', resource: 'clusternetworkpolicies' },
  'EgressFirewall.k8s.ovn.org': { ...egressFirewall, enforcedBy: 'OVN-Kubernetes', resource: 'egressfirewalls' },
  'EgressNetworkPolicy.network.openshift.io': {
    ...egressFirewall,
    enforcedBy: 'OpenShift SDN',
    resource: 'egressnetworkpolicies',
  },
  'AuthorizationPolicy.security.istio.io': {
    enforcedBy: 'Istio',
    version: 'v1',
    resource: 'authorizationpolicies',
    scope: 'namespaced',
    acts: 'after-network',
    mayAllow: false,
    mayDeny: true,
  },
} as const satisfies Record<string, WatchedFacts>;

/** A kind that the collector watches. */
export type WatchedKind = keyof typeof facts;
/** A kind of a manifest, as `KIND.GROUP`, whose name says that it is a network policy. */
export type NamedPolicyKind = `${string}.${string}`;
export type RecognisedKind = WatchedKind | NamedPolicyKind;
export const recognisedKinds = Object.keys(facts) as readonly WatchedKind[];

const namedPolicyFacts: RecognisedFacts = { mayAllow: true, mayDeny: true, acts: 'in-network' };

export function watchedFactsOf(kind: WatchedKind): WatchedFacts {
  return facts[kind];
}

export function factsOf(kind: RecognisedKind): RecognisedFacts {
  return isWatchedKind(kind) ? facts[kind] : namedPolicyFacts;
}

export function isWatchedKind(kind: string): kind is WatchedKind {
  return Object.hasOwn(facts, kind);
}

export function isRecognisedKind(kind: string): kind is RecognisedKind {
  return isWatchedKind(kind) || isNamedPolicyKind(kind);
}

/** `AcmeNetworkPolicy.acme.example`. A FirewallPolicy is mostly a firewall of a cloud, outside of the cluster. */
export function isNamedPolicyKind(kind: string): kind is NamedPolicyKind {
  return (
    /^[A-Za-z0-9]*(NetworkPolicy|EgressFirewall|IngressFirewall|IngressNodeFirewall)\.[a-z0-9.-]+$/.test(kind) &&
    !noPolicies.has(kind)
  );
}

/** Staged policies enforce nothing, and a MultiNetworkPolicy applies to further networks, which are not evaluated. */
const noPolicies: ReadonlySet<string> = new Set([
  ...['projectcalico.org', 'crd.projectcalico.org'].flatMap((group) => [
    `StagedNetworkPolicy.${group}`,
    `StagedGlobalNetworkPolicy.${group}`,
    `StagedKubernetesNetworkPolicy.${group}`,
  ]),
  'MultiNetworkPolicy.k8s.cni.cncf.io',
]);

export function groupOfKind(kind: RecognisedKind): string {
  return kind.slice(kind.indexOf('.') + 1);
}

/** The kind as a manifest has it, and as the field `kind` of the object. */
export function nameOfKind(kind: string): string {
  return kind.split('.')[0]!;
}

/** For people: without the group, unless an evaluated kind has the same name. */
export function kindTitle(kind: string): string {
  const name = nameOfKind(kind);
  return name === 'NetworkPolicy' || name === 'ClusterNetworkPolicy' ? kind : name;
}

export type LabelTest = {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Contains' | 'StartsWith' | 'EndsWith';
  values: readonly string[];
};

/**
 * Which pods are selected, in one form for the selector languages of all APIs. `unknown`: it depends on
 * something that is not read, or could not be parsed.
 */
export type Subject =
  | { is: 'all'; of: readonly Subject[] }
  | { is: 'any'; of: readonly Subject[] }
  | { is: 'not'; of: Subject }
  | { is: 'pod'; test: LabelTest }
  | { is: 'namespace'; test: LabelTest }
  | { is: 'namespace-name'; test: LabelTest }
  | { is: 'unknown' };

export const everyPod: Subject = { is: 'all', of: [] };
export const noPod: Subject = { is: 'any', of: [] };
export const unknownSubject: Subject = { is: 'unknown' };

/**
 * What the policy may do in a direction. `allow`: its rules may allow what is denied otherwise. `deny`: its rules may deny.
 * `isolate`: what none of its rules allows may be denied.
 */
export type Effects = { allow?: true; deny?: true; isolate?: true };
export const everyEffect: Effects = { allow: true, deny: true, isolate: true };

/** A policy has several parts if its rules select pods of their own. Undefined direction: no effect. */
export type RecognisedPart = {
  subject: Subject;
  ingress?: Effects;
  egress?: Effects;
};

export type RecognisedPolicy = {
  kind: RecognisedKind;
  name: string;
  /** Empty for a kind of the whole cluster. */
  namespace: string;
  uid: string;
  createdUs: number;
  /** It may select pods of other namespaces than its own. */
  everywhere?: true;
  parts: readonly RecognisedPart[];
};
