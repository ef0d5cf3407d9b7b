// The cluster's objects, reduced to the fields that Waybill uses: parsed, defaulted and checked.
import type { Address, Prefix } from './address.ts';
import type { Problem } from './problem.ts';
import {
  isRecognisedKind,
  kindTitle,
  nameOfKind,
  type RecognisedKind,
  type RecognisedPolicy,
  recognisedKinds,
} from './recognised-policy.ts';

/** A value that a controller chooses is not known: see label-value.ts. */
export type Labels = Readonly<Record<string, string>>;

export type Requirement = {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  values: readonly string[];
};
/** All must match (rule 16); empty selects everything. matchLabels are requirements with `In` and one value. */
export type LabelSelector = readonly Requirement[];

/** The object that made a pod. For a ReplicaSet it is the Deployment, for a Job the CronJob. */
export type WorkloadRef = { kind: string; name: string };

/** `hostPort`: the port of the node that leads to it, at all addresses of the node or only at `ip`. */
export type ContainerPort = {
  name: string;
  port: number;
  protocol: number;
  hostPort?: { port: number; ip?: Address };
};

/** No apiVersion: kind, namespace and name are unique among the kinds below. The kinds of other APIs include their group. */
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
  /** Of further networks, from the annotation k8s.v1.cni.cncf.io/network-status. Policies do not apply to them. */
  secondaryAddresses: readonly Address[];
  /**
   * From the annotations waybill.io/forwards and cni.projectcalico.org/allowedSourcePrefixes: source addresses of packets
   * that the pod forwards, as it says.
   */
  forwards: readonly Prefix[];
  ports: readonly ContainerPort[];
  /** µs since the epoch, in whole seconds as in the API; 0 if not known. */
  startedUs: number;
  endedUs: number;
  /** It Succeeded or Failed, also at a time that is not known, as an evicted pod. */
  ended?: true;
};

/** Such a pod has no address and no host port. */
export function hasEnded({ ended, endedUs }: Pick<Pod, 'ended' | 'endedUs'>): boolean {
  return ended === true || endedUs > 0;
}

/** An object with a pod template: Deployment, StatefulSet, …, or a kind of another API. */
export type Workload = ObjectMeta & {
  kind: 'Workload';
  /** The workload that its pods are shown with. */
  workload: WorkloadRef;
  /**
   * Set for an object that has the same pods as another one: its own kind. Examples are a ReplicaSet of a Deployment, and a
   * Prometheus, of which its operator makes a StatefulSet. `workload` is the other one, which it replaces if it is missing.
   * `retired`: it has no replicas any more.
   */
  owned?: { kind: string; retired: boolean };
  /** With those that controllers add. */
  labels: Labels;
  /** Its pods, if their labels differ: those of a StatefulSet by name, those of an indexed Job by completion index. */
  pods?: readonly TemplatePod[];
  hostNetwork: boolean;
  ports: readonly ContainerPort[];
};

/** One pod of a pod template. `name` is `web-0` in a StatefulSet; a Job's pod has no known name: `Job/migrate index 0`. */
export type TemplatePod = { name: string; labels: Labels };

/** `labels` always holds kubernetes.io/metadata.name (rule 16). */
export type Namespace = ObjectMeta & { kind: 'Namespace'; labels: Labels };

/** `broken`: a part could not be read, so there may be more labels and addresses. */
export type Node = ObjectMeta & {
  kind: 'Node';
  broken?: true;
  labels: Labels;
  addresses: readonly Address[];
  podPrefixes: readonly Prefix[];
  zone: string;
};

/** `targetPort`: port of the pods, by number or by the name of a container port; missing: same as `port`. */
export type ServicePort = {
  name: string;
  protocol: number;
  port: number;
  nodePort: number;
  targetPort?: number | string;
};
/**
 * `addresses`: cluster, external and load balancer addresses. Without `selector`, its endpoints do not come from pods. A
 * headless Service is only a DNS name: ports are not translated. `externalName` is the DNS name behind an ExternalName
 * Service. `localOnly`: a node sends connections from outside only to its own pods, with their source address.
 */
export type Service = ObjectMeta & {
  kind: 'Service';
  addresses: readonly Address[];
  clusterAddresses: readonly Address[];
  headless?: true;
  externalName?: string;
  localOnly?: true;
  /** The cluster's DNS, by the label that every distribution gives it. */
  clusterDns?: true;
  selector?: Labels;
  ports: readonly ServicePort[];
};

export type EndpointPort = { name: string; protocol: number; port: number };
/**
 * `addresses`: of ready endpoints; `notReady`: of all others. `broken`: some endpoints or ports could not be read.
 * `fromEndpoints`: of an Endpoints object, so another slice may list the same endpoints.
 */
export type EndpointSlice = ObjectMeta & {
  kind: 'EndpointSlice';
  broken?: true;
  fromEndpoints?: true;
  service: string;
  addresses: readonly Address[];
  notReady?: readonly Address[];
  /** The pod behind an address, as NAMESPACE/NAME, if the slice names it. */
  pods?: Readonly<Record<Address, string>>;
  ports: readonly EndpointPort[];
};

/** The older form of EndpointSlices (v1): one slice for each subset. */
export type Endpoints = ObjectMeta & { kind: 'Endpoints'; slices: readonly EndpointSlice[] };

/** Exactly one form: by address, or by identity (both selectors: both must match; rule 7). */
export type PolicyPeer =
  | { ipBlock: { cidr: Prefix; except: readonly Prefix[] } }
  | { podSelector?: LabelSelector; namespaceSelector?: LabelSelector };

/** `port` missing: every port of the protocol. A string is the name of a container port. `endPort` ends a range (rule 10). */
export type PolicyPort = { protocol: number; port?: number | string; endPort?: number };

/** Empty `peers`: every peer; empty `ports`: every port and protocol (rule 6). */
export type PolicyRule = { peers: readonly PolicyPeer[]; ports: readonly PolicyPort[] };

/**
 * The policy does not isolate a direction that is undefined. An empty list isolates it and allows nothing (rules 2, 6).
 * A policy with `broken` is not evaluated (rule 17): it makes the verdicts of the pods that it selects unknown
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

/** Rule 23: pods by namespace, and by their own labels if `podSelector` is given; never host-network pods. */
export type PodsSelector = { namespaceSelector: LabelSelector; podSelector?: LabelSelector };

/** Exactly one form (rules 23, 24). `nodes` by their labels; `domainNames` in lower case without a final dot. */
export type ClusterPeer =
  | { pods: PodsSelector }
  | { nodes: LabelSelector }
  | { networks: readonly Prefix[] }
  | { domainNames: readonly string[] };

/** Like `PolicyPort`, but a port name without a protocol matches any protocol (rules 25, 27). */
export type ClusterPort = { protocol?: number; port?: number | string; endPort?: number };

export type ClusterAction = 'Accept' | 'Deny' | 'Pass';

/** Ports that the API accepts without saying what they match. `protocol` undefined: of any protocol. */
export type UndefinedPorts = { path: string; protocol?: number };

/**
 * Empty `ports`: every protocol (rule 25). With `undefinedPorts`, the rule may match by them too, and empty `ports` match
 * nothing (rule 27). `notUnderstood` is the path of a peer or protocol without a known field: the
 * rule fails closed (rule 26).
 */
export type ClusterRule = {
  name: string;
  action: ClusterAction;
  peers: readonly ClusterPeer[];
  ports: readonly ClusterPort[];
  undefinedPorts?: readonly UndefinedPorts[];
  notUnderstood?: string;
};

/**
 * The three kinds of cluster policy, in the terms of ClusterNetworkPolicy (rules 18 to 27). `namespace` is empty;
 * `priority` is 0 to 1000, lower first. The tier of a BaselineAdminNetworkPolicy is Baseline. A policy with `broken` is
 * not evaluated; its readable parts limit what it may affect (`subject` undefined: every pod; `priority` undefined: first).
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
        /** Not a policy, but a document that cannot be read; its name is its place. Its subject: what it may change. */
        unread?: true;
        priority?: number;
        subject?: PodsSelector;
        directions: readonly ('ingress' | 'egress')[];
      }
  );

/** A document that cannot be read. It counts as an invalid policy that comes before all others. */
export type UnreadDocument = ClusterPolicy & { broken: readonly Problem[]; unread: true };

export function isUnread(object: ClusterObject): object is UnreadDocument {
  return 'unread' in object;
}

export type Policy = NetworkPolicy | ClusterPolicy;

export function isPolicy(object: ClusterObject): object is Policy {
  return isPolicyKind(object.kind);
}

export function isPolicyKind(kind: ClusterKind): kind is Policy['kind'] {
  switch (kind) {
    case 'NetworkPolicy':
    case 'ClusterNetworkPolicy':
    case 'AdminNetworkPolicy':
    case 'BaselineAdminNetworkPolicy':
      return true;
    default:
      return false;
  }
}

/** An evaluated policy, or one of another API that is recognised. */
export type AnyPolicy = Policy | RecognisedPolicy;

export function isAnyPolicy(object: ClusterObject): object is AnyPolicy {
  return isPolicy(object) || isRecognised(object);
}

export function isAnyPolicyKind(kind: ClusterKind): kind is AnyPolicy['kind'] {
  return isPolicyKind(kind) || isRecognisedKind(kind);
}

export function isRecognised(object: ClusterObject): object is RecognisedPolicy {
  return isRecognisedKind(object.kind);
}

export type ClusterObject = Pod | Workload | Namespace | Node | Service | Endpoints | EndpointSlice | AnyPolicy;
export type ClusterKind = ClusterObject['kind'];

const kinds: Record<Exclude<ClusterKind, RecognisedKind>, true> = {
  Namespace: true,
  Node: true,
  Pod: true,
  Workload: true,
  Service: true,
  Endpoints: true,
  EndpointSlice: true,
  NetworkPolicy: true,
  ClusterNetworkPolicy: true,
  AdminNetworkPolicy: true,
  BaselineAdminNetworkPolicy: true,
};
export const clusterKinds = [...Object.keys(kinds), ...recognisedKinds] as readonly ClusterKind[];

/**
 * Changes of the cluster's objects, in order. `atUs` is when the change was received, or when it happened if known. With
 * `sinceUs`, the change was missed: it happened at an unknown time after `sinceUs`, and the object may look the same.
 * `version`: see ObjectVersion. `stale`: changes of that kind after `sinceUs` may be missing. `fresh`: all of them have been
 * reported. `absent`: the API server does not know this kind. `fixed`: the problem with that code and place is over.
 */
export type ClusterEvent =
  | { type: 'put'; object: ClusterObject; atUs: number; sinceUs?: number; version?: string }
  | { type: 'gone'; object: ClusterObject; atUs: number; sinceUs?: number }
  | { type: 'synced'; atUs: number }
  | { type: 'stale'; kind: ClusterKind; sinceUs: number; atUs: number }
  | { type: 'fresh'; kind: ClusterKind; atUs: number }
  | { type: 'absent'; resource: string; atUs: number }
  | { type: 'problem'; problem: Problem; atUs: number }
  | { type: 'fixed'; problem: Problem; atUs: number };

/** The plural that the API uses: `pods`, `networkpolicies`; with the group for a kind of another API. */
export function resourceName(kind: ClusterKind): string {
  if (kind === 'Endpoints') return 'endpoints';
  const name = nameOfKind(kind);
  return name.toLowerCase().replace(/y$/, 'ie').concat('s', kind.slice(name.length));
}

/** The pods of the workload: one for all of them if their labels are the same. */
export function templatePods(workload: Workload): readonly TemplatePod[] {
  const { name, labels, pods } = workload;
  return pods ?? [{ name: `${manifestKind(workload)}/${name}`, labels }];
}

/** Enough to name an object of a core kind or a policy. */
export type ObjectName = { kind: Exclude<ClusterKind, 'Workload'>; namespace: string; name: string };

/**
 * Unique key of an object: kind, namespace and name. The key of a Workload also contains its own kind, because that kind
 * may have the name of a core kind (Knative's Service).
 */
export function objectKey(object: Workload | ObjectName): string {
  const kind = object.kind === 'Workload' ? `Workload/${manifestKind(object)}` : object.kind;
  return `${kind}/${object.namespace}/${object.name}`;
}

/** The kind as its manifest has it; with the group if an evaluated kind has the same name. */
export function manifestKind(object: ClusterObject): string {
  return object.kind === 'Workload' ? (object.owned?.kind ?? object.workload.kind) : kindTitle(object.kind);
}
