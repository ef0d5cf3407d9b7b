// Who a name or an address is in the manifests: the parties that policies judge, and the endpoints behind a Service.

import type { Resident } from '../connectivity/places.ts';
import { type Address, parseAddress } from '../model/address.ts';
import type { ClusterObject, Labels, Node, Pod, Policy, Service, Workload } from '../model/kubernetes.ts';
import { isPolicy, writtenKind } from '../model/kubernetes.ts';
import type { Party } from '../model/verdict.ts';
import { type Candidate, ofWorkload, oneOfEachFamily } from './candidates.ts';
import { ServiceBackends } from './service-backends.ts';
import {
  ambiguousParty,
  badParty,
  type Fault,
  serviceBeginsNothing,
  sharedAddress,
  unknownParty,
} from './verdict-errors.ts';

export type Named =
  | { is: 'one'; candidate: Candidate }
  | { is: 'workload'; pods: readonly Candidate[] } // never empty
  | { is: 'service'; service: Service }
  | { is: 'fault'; fault: Fault };

type MadeBy = { kind: string; name: string; templates: Workload[]; pods: Pod[] };

export class Parties {
  readonly policies: readonly Policy[];
  readonly #pods = new Map<string, Pod>();
  readonly #workloads = new Map<string, MadeBy[]>();
  /** ReplicaSets, Jobs and the like by their own names, where they stand for an owner. */
  readonly #standIns = new Map<string, MadeBy[]>();
  readonly #namespaces = new Map<string, Labels>();
  readonly #namesOnly = new Map<string, Labels>();
  readonly #nodes = new Map<string, Node>();
  readonly #podsAt = new Map<Address, Pod[]>();
  readonly #nodeAt = new Map<Address, string>();
  readonly services = new ServiceBackends({
    endpointAt: (address, named) => this.#endpointAt(address, named),
    selected: (namespace, labels) => this.#selected(namespace, labels),
  });

  constructor(objects: readonly ClusterObject[]) {
    this.policies = objects.filter(isPolicy);
    for (const object of objects) this.#add(object);
  }

  /** `NS/NAME`, `NS/KIND/NAME`, `NS/Service/NAME` or an address; an address that nobody has is outside the cluster. */
  find(text: string): Named {
    const address = text.includes('/') ? undefined : parseAddress(text);
    if (address !== undefined) return this.#at(address);
    const parts = text.split('/');
    if (parts.some((part) => part === '')) return { is: 'fault', fault: badParty(text) };
    if (parts.length === 2) return this.#byName(text, parts[0]!, parts[1]!);
    if (parts.length === 3) return this.#byKind(text, parts[0]!, parts[1]!, parts[2]!);
    return { is: 'fault', fault: badParty(text) };
  }

  findInitiator(text: string): Exclude<Named, { is: 'service' }> {
    const found = this.find(text);
    return found.is === 'service' ? { is: 'fault', fault: serviceBeginsNothing(text) } : found;
  }

  /** Everybody in the manifests who may begin or get a connection; pods that ended do neither. */
  residents(): Resident[] {
    const single = [...this.#pods.values()].filter((pod) => pod.workload.kind === 'Pod' && isLiving(pod));
    return [
      ...single.map((pod): Resident => {
        const { namespace, name, workload } = pod;
        return { kind: 'workload', namespace, workload, pods: membersIn(name, this.#podCandidate(pod)) };
      }),
      ...[...this.#workloads].flatMap(([key, makers]) => makers.map((maker) => this.#resident(key, maker))),
      ...[...this.#nodes.values()].map(({ name, addresses }): Resident => {
        return { kind: 'node', name, parties: addresses.map((address) => this.#nodeParty(address, name)) };
      }),
    ];
  }

  #resident(key: string, { kind, name, templates, pods }: MadeBy): Resident {
    const namespace = key.slice(0, key.indexOf('/'));
    const living = pods.filter(isLiving);
    return {
      kind: 'workload',
      namespace,
      workload: { kind, name },
      pods: membersOf(namespace, { kind, name, templates, pods: living }).flatMap((pod) =>
        membersIn(pod.name, ofWorkload(this.#podCandidate(pod))),
      ),
    };
  }

  /** `named`: the pod that the slice tells; undefined where it is not there, or has other addresses. */
  #endpointAt(address: Address, named: string | undefined): Candidate | undefined {
    if (named === undefined) {
      const found = this.#at(address);
      return found.is === 'one' ? found.candidate : undefined;
    }
    const pod = this.#pods.get(named);
    const isThere = pod?.addresses.includes(address) || (pod?.addresses.length === 0 && pod.endedUs === 0);
    return isThere ? this.#podCandidate({ ...pod!, addresses: [address] }) : undefined;
  }

  /** Each pod, and for a workload without pods its pod template. */
  #selected(namespace: string, wanted: Labels): Candidate[] {
    const selector = Object.entries(wanted);
    const makers = [...this.#workloads].filter(([key]) => key.startsWith(`${namespace}/`)).flatMap(([, of]) => of);
    const single = [...this.#pods.values()].filter((pod) => pod.namespace === namespace && pod.workload.kind === 'Pod');
    const made = makers.flatMap((maker) => {
      const living = { ...maker, pods: maker.pods.filter(isLiving) };
      return membersOf(namespace, living).map((pod) => ({ pod, candidate: ofWorkload(this.#podCandidate(pod)) }));
    });
    return [...single.filter(isLiving).map((pod) => ({ pod, candidate: this.#podCandidate(pod) })), ...made]
      .filter(({ pod }) => selector.every(([key, value]) => pod.labels[key] === value))
      .map(({ candidate }) => candidate);
  }

  #at(address: Address): Named {
    const pods = this.#podsAt.get(address) ?? [];
    if (pods.length > 1) {
      return {
        is: 'fault',
        fault: sharedAddress(
          address,
          pods.map((pod) => `${pod.namespace}/${pod.name}`),
        ),
      };
    }
    if (pods.length === 1) return { is: 'one', candidate: this.#podCandidate({ ...pods[0]!, addresses: [address] }) };
    const node = this.#nodeAt.get(address);
    const service = node === undefined ? this.services.at(address) : undefined;
    if (service !== undefined) return { is: 'service', service };
    return { is: 'one', candidate: { parties: [this.#nodeParty(address, node ?? '')], ports: [] } };
  }

  #byName(text: string, namespace: string, name: string): Named {
    const pod = this.#pods.get(text);
    if (pod !== undefined) return { is: 'one', candidate: this.#podCandidate(pod) };
    const makers = this.#workloads.get(text) ?? this.#standIns.get(text) ?? [];
    if (makers.length === 1) return this.#workload(namespace, makers[0]!);
    if (makers.length === 0) return { is: 'fault', fault: unknownParty(text) };
    const candidates = makers.map((maker) => `${namespace}/${maker.kind}/${name}`);
    return { is: 'fault', fault: ambiguousParty(text, candidates) };
  }

  #byKind(text: string, namespace: string, kind: string, name: string): Named {
    const key = `${namespace}/${name}`;
    const pod = kind.toLowerCase() === 'pod' ? this.#pods.get(key) : undefined;
    if (pod !== undefined) return { is: 'one', candidate: this.#podCandidate(pod) };
    const makers = [...(this.#workloads.get(key) ?? []), ...(this.#standIns.get(key) ?? [])];
    const maker = makers.find((one) => one.kind.toLowerCase() === kind.toLowerCase());
    if (maker !== undefined) return this.#workload(namespace, maker);
    const service = kind.toLowerCase() === 'service' ? this.services.named(key) : undefined;
    return service === undefined ? { is: 'fault', fault: unknownParty(text) } : { is: 'service', service };
  }

  #workload(namespace: string, maker: MadeBy): Named {
    return { is: 'workload', pods: membersOf(namespace, maker).map((pod) => ofWorkload(this.#podCandidate(pod))) };
  }

  #podCandidate(pod: Placeable): Candidate {
    return { parties: pod.hostNetwork ? this.#hostParties(pod) : [this.#podParty(pod)], ports: pod.ports };
  }

  #podParty({ namespace, name, labels, addresses, node, ports }: Placeable): Party {
    const told = this.#namespaces.get(namespace);
    const party = { kind: 'pod' as const, namespace, name, labels, addresses, node, ports };
    if (told !== undefined) return { ...party, namespaceLabels: told };
    return { ...party, namespaceLabels: this.#nameAsLabel(namespace), namespaceLabelsKnown: false };
  }

  /** Rule 13: a host-network pod is its node's address. */
  #hostParties({ namespace, name, node, addresses }: Placeable): Party[] {
    const own = oneOfEachFamily(addresses.length > 0 ? addresses : (this.#nodes.get(node)?.addresses ?? []));
    if (own.length === 0) return [{ kind: 'some-node', namespace, name }];
    return own.map((address) => this.#nodeParty(address, node || (this.#nodeAt.get(address) ?? '')));
  }

  /** Its labels count only where the node's status has the address (rule 24). */
  #nodeParty(address: Address, node: string): Party {
    if (node === '') return { kind: 'address', address };
    const known = this.#nodes.get(node);
    // Of a node without a manifest the addresses are those of its host-network pods, which are in its status.
    if (known === undefined) return { kind: 'address', address, node, nodeLabels: {}, nodeLabelsKnown: false };
    if (!known.addresses.includes(address)) return { kind: 'address', address, node };
    if (known.broken) return { kind: 'address', address, node, nodeLabels: {}, nodeLabelsKnown: false };
    return { kind: 'address', address, node, nodeLabels: known.labels };
  }

  /** What is known of a namespace without a manifest (rule 16). */
  #nameAsLabel(name: string): Labels {
    const known = this.#namesOnly.get(name);
    if (known !== undefined) return known;
    const labels: Labels = { 'kubernetes.io/metadata.name': name };
    this.#namesOnly.set(name, labels);
    return labels;
  }

  #add(object: ClusterObject): void {
    switch (object.kind) {
      case 'Pod':
        this.#addPod(object);
        return;
      case 'Workload':
        this.#addWorkload(object);
        return;
      case 'Namespace':
        this.#namespaces.set(object.name, object.labels);
        return;
      case 'Node':
        this.#nodes.set(object.name, object);
        for (const address of object.addresses) this.#nodeAt.set(address, object.name);
        return;
      case 'Service':
        this.services.add(object);
        return;
      case 'EndpointSlice':
        this.services.addSlice(object);
        return;
      case 'NetworkPolicy':
        return;
    }
  }

  #addWorkload(object: Workload): void {
    const { namespace, name, workload, owned } = object;
    this.#madeBy(namespace, workload.kind, workload.name).templates.push(object);
    if (owned === undefined) return;
    addTo(this.#standIns, `${namespace}/${name}`, { kind: owned.kind, name, templates: [object], pods: [] });
  }

  #addPod(pod: Pod): void {
    this.#pods.set(`${pod.namespace}/${pod.name}`, pod);
    if (pod.workload.kind !== 'Pod') {
      this.#madeBy(pod.namespace, pod.workload.kind, pod.workload.name).pods.push(pod);
    }
    for (const address of pod.addresses) {
      if (!pod.hostNetwork) addTo(this.#podsAt, address, pod);
      else if (!this.#nodeAt.has(address)) this.#nodeAt.set(address, pod.node);
    }
  }

  #madeBy(namespace: string, kind: string, name: string): MadeBy {
    const key = `${namespace}/${name}`;
    const known = this.#workloads.get(key)?.find((one) => one.kind === kind);
    if (known !== undefined) return known;
    const fresh: MadeBy = { kind, name, templates: [], pods: [] };
    addTo(this.#workloads, key, fresh);
    return fresh;
  }
}

function isLiving({ endedUs }: Pod): boolean {
  return endedUs === 0;
}

/** What a Pod and a pod template have in common. */
type Placeable = Pick<Pod, 'namespace' | 'name' | 'labels' | 'hostNetwork' | 'ports' | 'node' | 'addresses'>;

/** Its pods where they have addresses, since those are what policies see; else its pod templates. */
function membersOf(namespace: string, { templates, pods }: MadeBy): readonly Placeable[] {
  const placed = pods.filter((pod) => pod.addresses.length > 0);
  if (placed.length > 0) return placed;
  if (templates.length === 0) return pods;
  return templates.map((one) => {
    return { ...one, namespace, name: `${writtenKind(one)}/${one.name}`, node: '', addresses: [] };
  });
}

/** A pod with several addresses that policies see is a member at each of them. */
function membersIn(name: string, { parties }: Candidate): { name: string; ip?: Address; party: Party }[] {
  if (parties.length === 1) return [{ name, party: parties[0]! }];
  return parties.map((party) => ({ name, party, ...(party.kind === 'address' && { ip: party.address }) }));
}

function addTo<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
