// A cluster with random changes of one object at a time, and the events of these changes.
import type { Labels, Namespace, Pod, Policy } from '../../../model/kubernetes.ts';
import { objectKey } from '../../../model/kubernetes.ts';
import type { RawPolicy } from '../oracle/case.ts';
import type { Chance } from '../oracle/chance.ts';
import type { PodParty } from '../oracle/matches.ts';
import { randomCluster } from '../oracle/random-cluster.ts';
import { namespaces } from '../oracle/random-selectors.ts';
import { translated } from '../oracle/translate.ts';

export type Declared = { raw: RawPolicy; policy: Policy };

/** Pods by uid, labels by namespace, policies by kind, namespace and name. Never changed in place. */
export type Cluster = {
  readonly pods: ReadonlyMap<string, Pod>;
  readonly namespaces: ReadonlyMap<string, Labels>;
  readonly policies: ReadonlyMap<string, Declared>;
};

export const emptyCluster: Cluster = { pods: new Map(), namespaces: new Map(), policies: new Map() };

/** `raw`: the manifest of a policy. */
export type Change = { what: string; type: 'put' | 'gone'; object: Pod | Namespace | Policy; raw?: RawPolicy };

/**
 * The changes before all others. The collector assumes that a namespace had its first known labels before that, and the
 * cluster of this test does not do so.
 */
export function initialNamespaces(): Change[] {
  return namespaces.map((name) => {
    const labels = { 'kubernetes.io/metadata.name': name };
    return { what: 'namespace put', type: 'put', object: namespaceOf(name, labels) };
  });
}

/** The uid of a new pod contains `position`. */
export function randomChange(chance: Chance, cluster: Cluster, position: number): Change {
  const pods = [...cluster.pods.values()];
  const policies = [...cluster.policies.values()];
  switch (chance.number(9)) {
    case 0:
      return chance.once(4) ? namespaceGone(chance, cluster) : relabelled(chance);
    case 1:
      return repeatedChange(chance, cluster);
    case 2:
      return pods.length > minPods ? { what: 'pod removed', type: 'gone', object: chance.one(pods) } : pod();
    case 3:
    case 4:
      return pods.length > minPods ? otherPod(chance, chance.one(pods)) : pod();
    case 5: {
      if (policies.length === 0) return declared(chance, cluster);
      const { raw, policy } = chance.one(policies);
      return { what: 'policy removed', type: 'gone', object: policy, raw };
    }
    case 6:
      return pod();
    default:
      return declared(chance, cluster);
  }

  function pod(): Change {
    const { namespace, labels, addresses, node, ports } = randomPod(chance);
    const [name, uid] = [`pod-${chance.number(12)}`, `uid-${position}`];
    const times = { startedUs: 0, endedUs: 0 };
    const own = { kind: 'Pod' as const, namespace, name, uid, workload: { kind: 'Pod', name }, hostNetwork: false };
    const isThere = pods.some((one) => one.namespace === namespace && one.name === name);
    const none = { secondaryAddresses: [], forwards: [] };
    const object = { ...own, ...none, labels, addresses, node, ports, ...times };
    return { what: isThere ? 'pod replaced' : 'pod put', type: 'put', object };
  }
}

const minPods = 6;

function relabelled(chance: Chance): Change {
  const { namespace, namespaceLabels } = randomPod(chance);
  return { what: 'namespace relabelled', type: 'put', object: namespaceOf(namespace, namespaceLabels) };
}

/** Keeps the pods of the namespace, because manifests may be removed one by one. */
function namespaceGone(chance: Chance, { namespaces }: Cluster): Change {
  const there = [...namespaces];
  if (there.length === 0) return relabelled(chance);
  return { what: 'namespace removed', type: 'gone', object: namespaceOf(...chance.one(there)) };
}

function namespaceOf(name: string, labels: Labels): Namespace {
  return { kind: 'Namespace', name, namespace: '', uid: `uid-${name}`, labels };
}

/** After an interrupted watch the API server sends everything again: equal, but new objects. */
function repeatedChange(chance: Chance, { pods, namespaces, policies }: Cluster): Change {
  const all: Omit<Change, 'what' | 'type'>[] = [
    ...[...pods.values()].map((object) => ({ object })),
    ...[...namespaces].map(([name, labels]) => ({ object: namespaceOf(name, labels) })),
    ...[...policies.values()].map(({ policy, raw }) => ({ object: policy, raw })),
  ];
  if (all.length === 0) return relabelled(chance);
  return { what: 'object repeated', type: 'put', ...structuredClone(chance.one(all)) };
}

function otherPod(chance: Chance, pod: Pod): Change {
  const { labels, addresses, node, ports } = randomPod(chance);
  const [what, other] = chance.one<[string, Partial<Pod>]>([
    ['pod relabelled', { labels }],
    ['pod with other addresses', { addresses }],
    ['pod with other ports', { ports }],
    ['pod on another node', { node }],
  ]);
  return { what, type: 'put', object: { ...structuredClone(pod), ...other } };
}

/** Few names, so policies often replace others, also those of another tier. */
function declared(chance: Chance, cluster: Cluster): Change {
  const { policies } = randomCluster(chance);
  if (policies.length === 0) return declared(chance, cluster);
  const raw = { ...chance.one(policies), name: `policy-${chance.number(4)}` };
  const object = translated(raw);
  const kind = object.broken === undefined ? 'policy' : 'broken policy';
  return { what: `${kind} ${cluster.policies.has(objectKey(object)) ? 'replaced' : 'put'}`, type: 'put', object, raw };
}

function randomPod(chance: Chance): PodParty {
  return chance.one(
    randomCluster(chance).parties.filter((one) => one.kind === 'pod' && !one.representsWorkload),
  ) as PodParty;
}

/** The cluster after the change. */
export function changed(cluster: Cluster, { type, object, raw }: Change): Cluster {
  switch (object.kind) {
    case 'Namespace':
      if (type === 'put')
        return { ...cluster, namespaces: new Map(cluster.namespaces).set(object.name, object.labels) };
      return { ...cluster, namespaces: new Map([...cluster.namespaces].filter(([name]) => name !== object.name)) };
    case 'Pod': {
      const others = [...cluster.pods].filter(([, one]) => objectKey(one) !== objectKey(object));
      return { ...cluster, pods: new Map(type === 'put' ? [...others, [object.uid, object]] : others) };
    }
    default: {
      const policies = new Map(cluster.policies);
      policies.delete(objectKey(object));
      if (type === 'put') policies.set(objectKey(object), { raw: raw!, policy: object });
      return { ...cluster, policies };
    }
  }
}

/** The pods that the change may affect. */
export function touchedBy({ object }: Change, { pods }: Cluster): Pod[] {
  return [...pods.values()].filter(({ uid, namespace }) => {
    if (object.kind === 'Pod') return uid === object.uid;
    if (object.kind === 'Namespace') return namespace === object.name;
    return object.namespace === '' || namespace === object.namespace;
  });
}
