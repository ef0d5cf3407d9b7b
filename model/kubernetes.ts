// The cluster's objects as Waybill needs them: parsed, defaulted and checked. Everything else of a manifest is left out.
import type { Address, Prefix } from './address.ts';
import type { Problem } from './problem.ts';

export type Labels = Readonly<Record<string, string>>;

export type Requirement = {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  values: readonly string[];
};
/** All are needed (rule 16); empty selects everything. matchLabels are requirements with `In` and one value. */
export type LabelSelector = readonly Requirement[];

/** The object that made a pod: ReplicaSets of a Deployment and Jobs of a CronJob are shown as these. */
export type WorkloadRef = { kind: string; name: string };

export type ContainerPort = { name: string; port: number; protocol: number };

/** The apiVersion's short form is not kept: kind, namespace and name are unique among the kinds below. */
type ObjectMeta = { name: string; namespace: string; uid: string };

export type Pod = ObjectMeta & {
  kind: 'Pod';
  labels: Labels;
  workload: WorkloadRef;
  /** Empty until scheduled. */
  node: string;
  hostNetwork: boolean;
  /** All families (rule 15); empty until assigned, and once the pod Succeeded or Failed. */
  addresses: readonly Address[];
  ports: readonly ContainerPort[];
  /** µs since the epoch, whole seconds as the API has them; 0 where not known. */
  startedUs: number;
  endedUs: number;
};

/** What makes pods, by its pod template: Deployment, StatefulSet, …, or a kind of another API that has one. */
export type Workload = ObjectMeta & {
  kind: 'Workload';
  /** What its pods are shown as. */
  workload: WorkloadRef;
  /**
   * Of what another made, as a Deployment makes ReplicaSets: its own kind. `workload` is then the owner, for which it
   * stands where the owner is not there. `retired`: it wants no pods any more.
   */
  owned?: { kind: string; retired: boolean };
  labels: Labels;
  hostNetwork: boolean;
  ports: readonly ContainerPort[];
};

/** `labels` always holds kubernetes.io/metadata.name (rule 16). */
export type Namespace = ObjectMeta & { kind: 'Namespace'; labels: Labels };

/** One with `broken` has more than could be read: which labels and addresses is not known. */
export type Node = ObjectMeta & {
  kind: 'Node';
  broken?: true;
  labels: Labels;
  addresses: readonly Address[];
  podPrefixes: readonly Prefix[];
  zone: string;
};

/** `targetPort`: of the pods, by number or by the name of a container port; missing: the same. */
export type ServicePort = {
  name: string;
  protocol: number;
  port: number;
  nodePort: number;
  targetPort?: number | string;
};
/**
 * `addresses`: cluster, external and load balancer addresses. No `selector`: its endpoints are not made of pods. A headless
 * one is a name for its pods: nobody translates ports.
 */
export type Service = ObjectMeta & {
  kind: 'Service';
  addresses: readonly Address[];
  clusterAddresses: readonly Address[];
  headless?: true;
  selector?: Labels;
  ports: readonly ServicePort[];
};

export type EndpointPort = { name: string; protocol: number; port: number };
/** Only ready endpoints are kept. One with `broken` has endpoints or ports that could not be read. */
export type EndpointSlice = ObjectMeta & {
  kind: 'EndpointSlice';
  broken?: true;
  service: string;
  addresses: readonly Address[];
  /** The pod behind an address, as NAMESPACE/NAME, where the slice tells it. */
  pods?: Readonly<Record<Address, string>>;
  ports: readonly EndpointPort[];
};

/** Exactly one form: by address, or by identity (both selectors: both must match; rule 7). */
export type PolicyPeer =
  | { ipBlock: { cidr: Prefix; except: readonly Prefix[] } }
  | { podSelector?: LabelSelector; namespaceSelector?: LabelSelector };

/** `port` missing: every port of the protocol; a text is a container port's name; `endPort` closes a range (rule 10). */
export type PolicyPort = { protocol: number; port?: number | string; endPort?: number };

/** Empty `peers`: every peer; empty `ports`: every port and protocol (rule 6). */
export type PolicyRule = { peers: readonly PolicyPeer[]; ports: readonly PolicyPort[] };

/**
 * A direction that is undefined is not isolated by the policy; an empty list isolates and allows nothing (rules 2, 6).
 * A policy with `broken` is not evaluated (rule 17): what could be read of it says which verdicts it makes unknown
 * (`podSelector` undefined: every pod of its namespace).
 */
export type NetworkPolicy = ObjectMeta & { kind: 'NetworkPolicy'; createdUs: number } & (
    | {
        broken?: undefined;
        podSelector: LabelSelector;
        ingress?: readonly PolicyRule[];
        egress?: readonly PolicyRule[];
      }
    | { broken: readonly Problem[]; podSelector?: LabelSelector; directions: readonly ('ingress' | 'egress')[] }
  );

/** Rule 23: pods by their namespace, and by their own labels where `podSelector` is given; never host-network pods. */
export type PodsSelector = { namespaceSelector: LabelSelector; podSelector?: LabelSelector };

/** Exactly one form (rules 23, 24). `nodes` by their labels; `domainNames` in lower case without a final dot. */
export type ClusterPeer =
  | { pods: PodsSelector }
  | { nodes: LabelSelector }
  | { networks: readonly Prefix[] }
  | { domainNames: readonly string[] };

/** As a NetworkPolicy's, but that a name stands for any protocol where none is given (rules 25, 27). */
export type ClusterPort = { protocol?: number; port?: number | string; endPort?: number };

export type ClusterAction = 'Accept' | 'Deny' | 'Pass';

/**
 * Empty `ports`: every protocol (rule 25). `notUnderstood` is the path of a peer or protocol with no field that we know:
 * the rule fails closed (rule 26).
 */
export type ClusterRule = {
  name: string;
  action: ClusterAction;
  peers: readonly ClusterPeer[];
  ports: readonly ClusterPort[];
  notUnderstood?: string;
};

/**
 * The three kinds of policy of the whole cluster, told in the words of ClusterNetworkPolicy (rules 18 to 27). `namespace`
 * is empty; `priority` is 0 to 1000, lower first; a Baseline AdminNetworkPolicy's tier is Baseline. One with `broken` is
 * not evaluated: what could be read says whom it may touch (`subject` undefined: every pod; `priority` undefined: first).
 */
export type ClusterPolicy = ObjectMeta & {
  kind: 'ClusterNetworkPolicy' | 'AdminNetworkPolicy' | 'BaselineAdminNetworkPolicy';
  createdUs: number;
  tier: 'Admin' | 'Baseline';
} & (
    | {
        broken?: undefined;
        priority: number;
        subject: PodsSelector;
        ingress: readonly ClusterRule[];
        egress: readonly ClusterRule[];
      }
    | {
        broken: readonly Problem[];
        priority?: number;
        subject?: PodsSelector;
        directions: readonly ('ingress' | 'egress')[];
      }
  );

export type Policy = NetworkPolicy | ClusterPolicy;

export function isPolicy(object: ClusterObject): object is Policy {
  switch (object.kind) {
    case 'NetworkPolicy':
    case 'ClusterNetworkPolicy':
    case 'AdminNetworkPolicy':
    case 'BaselineAdminNetworkPolicy':
      return true;
    default:
      return false;
  }
}

export type ClusterObject = Pod | Workload | Namespace | Node | Service | EndpointSlice | Policy;
export type ClusterKind = ClusterObject['kind'];

/**
 * What happened to the cluster's objects, in order. `atUs` is when it was seen here, or is known to have happened.
 * `deaf`: changes after `sinceUs` may not have been told; the next `synced` says that all of them are.
 * `absent`: the API server does not know this kind, so that there is none of it until somebody installs it.
 */
export type ClusterEvent =
  | { type: 'put'; object: ClusterObject; atUs: number }
  | { type: 'gone'; object: ClusterObject; atUs: number }
  | { type: 'synced'; atUs: number }
  | { type: 'deaf'; sinceUs: number; atUs: number }
  | { type: 'absent'; resource: string; atUs: number }
  | { type: 'problem'; problem: Problem; atUs: number };

/**
 * Unique key of an object: kind, namespace and name. A Workload's has its own kind besides, which may be called as one of
 * ours is (Knative's Service).
 */
export function objectKey(object: ClusterObject): string {
  const kind = object.kind === 'Workload' ? `Workload/${manifestKind(object)}` : object.kind;
  return `${kind}/${object.namespace}/${object.name}`;
}

/** The kind that stands in its manifest. */
export function manifestKind(object: ClusterObject): string {
  return object.kind === 'Workload' ? (object.owned?.kind ?? object.workload.kind) : object.kind;
}
