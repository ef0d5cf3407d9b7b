// Resolves a name or an address of a question to the pods, nodes and Services of the manifests.

import type { DeclaredEndpoint } from '../connectivity/endpoint-groups.ts';
import { type Address, parseAddress } from '../model/address.ts';
import type {
  AnyPolicy,
  ClusterObject,
  LabelSelector,
  Labels,
  Node,
  Pod,
  Service,
  TemplatePod,
  Workload,
} from '../model/kubernetes.ts';
import { hasEnded, isAnyPolicy, templatePods } from '../model/kubernetes.ts';
import type { Party } from '../model/verdict.ts';
import { selectsPod } from '../policy/selectors.ts';
import { type Candidate, firstOfEachFamily, representingWorkload } from './candidates.ts';
import { type HostPortCandidates, HostPortLookup, type HostPortOwner } from './host-port-lookup.ts';
import { type MatchingPod, ServiceLookup } from './service-lookup.ts';
import {
  ambiguousParty,
  badParty,
  type QuestionFault,
  serviceBeginsNothing,
  sharedAddress,
  unknownParty,
} from './verdict-errors.ts';

export type ResolvedParty =
  | { kind: 'one'; candidate: Candidate }
  | { kind: 'workload'; pods: readonly Candidate[] } // never empty
  | { kind: 'service'; service: Service }
  | { kind: 'fault'; fault: QuestionFault };

type OwnerWorkload = { kind: string; name: string; podTemplates: Workload[]; pods: Pod[] };

export class PartyResolver {
  readonly policies: readonly AnyPolicy[];
  readonly #pods = new Map<string, Pod>();
  readonly #workloads = new Map<string, OwnerWorkload[]>();
  /** ReplicaSets, Jobs and other owned workloads, by their own names. */
  readonly #ownedControllers = new Map<string, OwnerWorkload[]>();
  /** The pods of StatefulSets, by their names. */
  readonly #templatePods = new Map<string, PodOrTemplate>();
  readonly #namespaces = new Map<string, Labels>();
  readonly #nameOnlyLabels = new Map<string, Labels>();
  readonly #nodes = new Map<string, Node>();
  readonly #podsByAddress = new Map<Address, Pod[]>();
  readonly #nodeByAddress = new Map<Address, string>();
  /** Made by the first question about a port of a node. */
  #hostPorts: HostPortLookup | undefined;
  readonly services = new ServiceLookup({
    endpointAt: (address, podName) => this.#endpointAt(address, podName),
    matchingPods: (namespace, selector) => this.#matchingPods(namespace, selector),
  });

  constructor(objects: readonly ClusterObject[]) {
    this.policies = objects.filter(isAnyPolicy);
    for (const object of objects) this.#add(object);
  }

  /** Takes `NS/NAME`, `NS/KIND/NAME`, `NS/Service/NAME` or an address. An unknown address is outside the cluster. */
  resolve(text: string): ResolvedParty {
    const address = text.includes('/') ? undefined : parseAddress(text);
    if (address !== undefined) return this.#resolveAddress(address);
    const parts = text.split('/');
    if (parts.some((part) => part === '')) return { kind: 'fault', fault: badParty(text) };
    if (parts.length === 2) return this.#resolveName(text, parts[0]!, parts[1]!);
    if (parts.length === 3) return this.#resolveKind(text, parts[0]!, parts[1]!, parts[2]!);
    return { kind: 'fault', fault: badParty(text) };
  }

  resolveInitiator(text: string): Exclude<ResolvedParty, { kind: 'service' }> {
    const found = this.resolve(text);
    return found.kind === 'service' ? { kind: 'fault', fault: serviceBeginsNothing(text) } : found;
  }

  /** Every workload and node of the manifests that can have connections; finished pods cannot. */
  declaredEndpoints(): DeclaredEndpoint[] {
    const standalonePods = [...this.#pods.values()].filter((pod) => pod.workload.kind === 'Pod' && isLive(pod));
    return [
      ...standalonePods.map((pod): DeclaredEndpoint => {
        const { namespace, name, workload } = pod;
        return { kind: 'workload', namespace, workload, pods: membersByAddress(name, this.#podCandidate(pod)) };
      }),
      ...[...this.#workloads].flatMap(([key, owners]) => owners.map((owner) => this.#declaredEndpoint(key, owner))),
      ...[...this.#nodes.values()].map(({ name, addresses }): DeclaredEndpoint => {
        return { kind: 'node', name, parties: addresses.map((address) => this.#nodeParty(address, name)) };
      }),
    ];
  }

  #declaredEndpoint(key: string, { kind, name, podTemplates, pods }: OwnerWorkload): DeclaredEndpoint {
    const namespace = key.slice(0, key.indexOf('/'));
    const livePods = pods.filter(isLive);
    return {
      kind: 'workload',
      namespace,
      workload: { kind, name },
      pods: podsOrTemplates({ kind, name, podTemplates, pods: livePods }).flatMap((pod) =>
        membersByAddress(pod.name, representingWorkload(this.#podCandidate(pod))),
      ),
    };
  }

  /** Undefined if the pod that the slice names is missing, or does not have the address. */
  #endpointAt(address: Address, podName: string | undefined): Candidate | undefined {
    if (podName === undefined) {
      const found = this.#resolveAddress(address);
      return found.kind === 'one' ? found.candidate : undefined;
    }
    const pod = this.#pods.get(podName);
    const ownsAddress = pod?.addresses.includes(address) || (pod?.addresses.length === 0 && isLive(pod));
    return ownsAddress ? this.#podCandidate({ ...pod!, addresses: [address] }) : undefined;
  }

  /** The pods that have this port of the node as their host port. */
  hostPortCandidates(node: string, address: Address, protocol: number, port: number): HostPortCandidates {
    this.#hostPorts ??= new HostPortLookup(this.#hostPortOwners());
    return this.#hostPorts.candidatesAt(node, address, protocol, port);
  }

  *#hostPortOwners(): Generator<HostPortOwner> {
    for (const pod of this.#pods.values()) {
      if (pod.workload.kind === 'Pod' && isLive(pod)) yield this.#hostPortOwner(pod, this.#podCandidate(pod));
    }
    for (const owner of [...this.#workloads.values()].flat()) {
      for (const pod of podsOrTemplates({ ...owner, pods: owner.pods.filter(isLive) })) {
        yield this.#hostPortOwner(pod, representingWorkload(this.#podCandidate(pod)));
      }
    }
  }

  #hostPortOwner({ namespace, name, node, hostNetwork, ports }: PodOrTemplate, candidate: Candidate): HostPortOwner {
    return { name: `${namespace}/${name}`, node, hostNetwork, ports, candidate };
  }

  /** The pods, or the pod template of a workload without pods. */
  #matchingPods(namespace: string, selector: LabelSelector): MatchingPod[] {
    const owners = [...this.#workloads].filter(([key]) => key.startsWith(`${namespace}/`)).flatMap(([, of]) => of);
    const standalonePods = [...this.#pods.values()].filter(
      (pod) => pod.namespace === namespace && pod.workload.kind === 'Pod',
    );
    const ownedPods = owners.flatMap((owner) => {
      const livePods = { ...owner, pods: owner.pods.filter(isLive) };
      return podsOrTemplates(livePods).map((pod) => ({
        pod,
        candidate: representingWorkload(this.#podCandidate(pod)),
      }));
    });
    return [...standalonePods.filter(isLive).map((pod) => ({ pod, candidate: this.#podCandidate(pod) })), ...ownedPods]
      .map(({ pod, candidate }) => ({ candidate, match: selectsPod(selector, pod.labels) }))
      .flatMap(({ candidate, match }) => (match === 'no' ? [] : { candidate, sure: match === 'yes' }));
  }

  #resolveAddress(address: Address): ResolvedParty {
    const pods = this.#podsByAddress.get(address) ?? [];
    if (pods.length > 1) {
      return {
        kind: 'fault',
        fault: sharedAddress(
          address,
          pods.map((pod) => `${pod.namespace}/${pod.name}`),
        ),
      };
    }
    if (pods.length === 1) return { kind: 'one', candidate: this.#podCandidate({ ...pods[0]!, addresses: [address] }) };
    const node = this.#nodeByAddress.get(address);
    const service = node === undefined ? this.services.byAddress(address) : undefined;
    if (service !== undefined) return { kind: 'service', service };
    return { kind: 'one', candidate: { parties: [this.#nodeParty(address, node ?? '')], ports: [] } };
  }

  #resolveName(text: string, namespace: string, name: string): ResolvedParty {
    const pod = this.#pods.get(text) ?? this.#templatePods.get(text);
    if (pod !== undefined) return { kind: 'one', candidate: this.#podCandidate(pod) };
    const owners = this.#workloads.get(text) ?? this.#ownedControllers.get(text) ?? [];
    if (owners.length === 1) return this.#workload(owners[0]!);
    if (owners.length === 0) return { kind: 'fault', fault: unknownParty(text) };
    const candidates = owners.map((owner) => `${namespace}/${owner.kind}/${name}`);
    return { kind: 'fault', fault: ambiguousParty(text, candidates) };
  }

  #resolveKind(text: string, namespace: string, kind: string, name: string): ResolvedParty {
    const key = `${namespace}/${name}`;
    const pod = kind.toLowerCase() === 'pod' ? (this.#pods.get(key) ?? this.#templatePods.get(key)) : undefined;
    if (pod !== undefined) return { kind: 'one', candidate: this.#podCandidate(pod) };
    const owners = [...(this.#workloads.get(key) ?? []), ...(this.#ownedControllers.get(key) ?? [])];
    const owner = owners.find((one) => one.kind.toLowerCase() === kind.toLowerCase());
    if (owner !== undefined) return this.#workload(owner);
    const service = kind.toLowerCase() === 'service' ? this.services.byName(key) : undefined;
    return service === undefined ? { kind: 'fault', fault: unknownParty(text) } : { kind: 'service', service };
  }

  #workload(owner: OwnerWorkload): ResolvedParty {
    return {
      kind: 'workload',
      pods: podsOrTemplates(owner).map((pod) => representingWorkload(this.#podCandidate(pod))),
    };
  }

  #podCandidate(pod: PodOrTemplate): Candidate {
    return { parties: pod.hostNetwork ? this.#hostParties(pod) : [this.#podParty(pod)], ports: pod.ports };
  }

  #podParty({ namespace, name, labels, addresses, node, ports }: PodOrTemplate): Party {
    const knownLabels = this.#namespaces.get(namespace);
    const party = { kind: 'pod' as const, namespace, name, labels, addresses, node, ports };
    if (knownLabels !== undefined) return { ...party, namespaceLabels: knownLabels };
    return { ...party, namespaceLabels: this.#labelsFromName(namespace), namespaceLabelsKnown: false };
  }

  /** A host-network pod has the address of its node (rule 13). */
  #hostParties({ namespace, name, node, addresses }: PodOrTemplate): Party[] {
    const own = firstOfEachFamily(addresses.length > 0 ? addresses : (this.#nodes.get(node)?.addresses ?? []));
    if (own.length === 0) return [{ kind: 'some-node', namespace, name }];
    return own.map((address) => this.#nodeParty(address, node || (this.#nodeByAddress.get(address) ?? '')));
  }

  /** The labels of a node apply only to addresses in its status (rule 24). */
  #nodeParty(address: Address, node: string): Party {
    if (node === '') return { kind: 'address', address };
    const known = this.#nodes.get(node);
    // Without a manifest, the node's addresses come from its host-network pods. Its status would have them.
    if (known === undefined) return { kind: 'address', address, node, nodeLabels: {}, nodeLabelsKnown: false };
    if (!known.addresses.includes(address)) return { kind: 'address', address, node };
    if (known.broken) return { kind: 'address', address, node, nodeLabels: {}, nodeLabelsKnown: false };
    return { kind: 'address', address, node, nodeLabels: known.labels };
  }

  /** The label that every namespace has, for namespaces without a manifest (rule 16). */
  #labelsFromName(name: string): Labels {
    const known = this.#nameOnlyLabels.get(name);
    if (known !== undefined) return known;
    const labels: Labels = { 'kubernetes.io/metadata.name': name };
    this.#nameOnlyLabels.set(name, labels);
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
        for (const address of object.addresses) this.#nodeByAddress.set(address, object.name);
        return;
      case 'Service':
        this.services.add(object);
        return;
      case 'Endpoints':
        for (const slice of object.slices) this.services.addSlice(slice);
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
    this.#ownerWorkload(namespace, workload.kind, workload.name).podTemplates.push(object);
    for (const pod of object.pods ?? []) this.#templatePods.set(`${namespace}/${pod.name}`, ofTemplate(object, pod));
    if (owned === undefined) return;
    addTo(this.#ownedControllers, `${namespace}/${name}`, { kind: owned.kind, name, podTemplates: [object], pods: [] });
  }

  #addPod(pod: Pod): void {
    this.#pods.set(`${pod.namespace}/${pod.name}`, pod);
    if (pod.workload.kind !== 'Pod') {
      this.#ownerWorkload(pod.namespace, pod.workload.kind, pod.workload.name).pods.push(pod);
    }
    for (const address of pod.addresses) {
      if (!pod.hostNetwork) addTo(this.#podsByAddress, address, pod);
      else if (!this.#nodeByAddress.has(address)) this.#nodeByAddress.set(address, pod.node);
    }
  }

  #ownerWorkload(namespace: string, kind: string, name: string): OwnerWorkload {
    const key = `${namespace}/${name}`;
    const known = this.#workloads.get(key)?.find((one) => one.kind === kind);
    if (known !== undefined) return known;
    const created: OwnerWorkload = { kind, name, podTemplates: [], pods: [] };
    addTo(this.#workloads, key, created);
    return created;
  }
}

function isLive(pod: Pod): boolean {
  return !hasEnded(pod);
}

type PodOrTemplate = Pick<Pod, 'namespace' | 'name' | 'labels' | 'hostNetwork' | 'ports' | 'node' | 'addresses'>;

/** The pods that have addresses; if none has one, those of the pod templates. */
function podsOrTemplates({ podTemplates, pods }: OwnerWorkload): readonly PodOrTemplate[] {
  const withAddresses = pods.filter((pod) => pod.addresses.length > 0);
  if (withAddresses.length > 0) return withAddresses;
  if (podTemplates.length === 0) return pods;
  return podTemplates.flatMap((one) => templatePods(one).map((pod) => ofTemplate(one, pod)));
}

function ofTemplate({ namespace, hostNetwork, ports }: Workload, { name, labels }: TemplatePod): PodOrTemplate {
  return { namespace, name, labels, hostNetwork, ports, node: '', addresses: [] };
}

/** A host-network pod with two addresses is a member at each of them. */
function membersByAddress(name: string, { parties }: Candidate): { name: string; ip?: Address; party: Party }[] {
  if (parties.length === 1) return [{ name, party: parties[0]! }];
  return parties.map((party) => ({ name, party, ...(party.kind === 'address' && { ip: party.address }) }));
}

function addTo<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
