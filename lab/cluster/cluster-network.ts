// A running topology: its network, the programs in its pods, and its manifests as they are now. Steps of the traffic
// script change it.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { ProblemError } from '../../model/problem.ts';
import { applyInside, applyPlan, makeLinks } from '../network/apply.ts';
import { networkPlan } from '../network/network.ts';
import { type LabWorld, nodeRules, podLinkPlan, podPlan, podSidePlan } from '../network/node.ts';
import { redirect } from '../network/redirect.ts';
import { Peer } from '../programs/peer.ts';
import { stepFailed } from '../system/errors.ts';
import { claim, removeLab } from '../system/leftovers.ts';
import { type LabId, nodeNamespace, outsideNamespace, podNamespace } from '../system/names.ts';
import { run } from '../system/run.ts';
import { disagreements } from '../topology/agreement.ts';
import { type LabCluster, type LabPod, type PortSpec, readCluster } from '../topology/cluster.ts';
import { type Manifest, manifestName, readManifestDocuments, WorkingCopy } from '../topology/manifests.ts';
import type { Place } from '../topology/places.ts';
import { dnsPorts, type Topology } from '../topology/topology.ts';
import { StepEnforcement } from './step-enforcement.ts';

export class ClusterNetwork {
  readonly id: LabId = randomBytes(3).toString('hex');
  readonly topology: Topology;
  readonly #peers = new Map<string, Peer>();
  #manifests: Manifest[] = [];
  #cluster: LabCluster = { nodes: [], pods: [], services: [] };
  #folder = '';
  readonly enforcement = new StepEnforcement({
    lab: () => ({ world: this.world, folder: this.#folder }),
    applyRules: () => this.#applyRules(),
  });
  /** Pods that a step created: resolves when the pod's manifest has its address. */
  readonly #pendingAddresses = new Map<string, Promise<void>>();

  constructor(topology: Topology) {
    this.topology = topology;
  }

  get folder(): string {
    return this.#folder;
  }

  get manifests(): string {
    return join(this.#folder, 'manifests');
  }

  get world(): LabWorld {
    const { topology } = this;
    const enforcement = [...topology.enforcement, ...this.enforcement.rules];
    return { id: this.id, topology, cluster: this.#cluster, outside: topology.outside, enforcement };
  }

  /** Throws a ProblemError with every contradiction between the topology and the manifests. */
  async up(): Promise<void> {
    this.#manifests = await readManifestDocuments(this.topology.manifests);
    this.#readCluster();
    const problems = disagreements(this.topology, this.world);
    if (problems.length > 0) throw new ProblemError(...problems);
    this.#folder = await claim(this.id);
    for (const manifest of this.#manifests) await this.#copy.put(manifest);
    await applyPlan(networkPlan(this.world));
    await redirect(this.world, this.#folder);
    await Promise.all([
      ...this.#cluster.nodes.map((node) =>
        this.#startPeer(nodeNamespace(this.id, node.name), this.#nodePorts(node.name), node.name),
      ),
      ...this.topology.outside.map((host) =>
        this.#startPeer(outsideNamespace(this.id, host.name), host.listen, host.name),
      ),
      ...this.#cluster.pods.filter((pod) => !pod.hostNetwork).map((pod) => this.#startPod(pod)),
    ]);
  }

  async down(): Promise<void> {
    await Promise.all([...this.#peers.values()].map((peer) => peer.kill()));
    await this.enforcement.end();
    await removeLab(this.id);
  }

  peerAt(place: Place): Peer {
    const namespace = this.#namespaceOf(place);
    const peer = namespace === undefined ? undefined : this.#peers.get(namespace);
    if (peer === undefined)
      throw new ProblemError(stepFailed(JSON.stringify(place), 'no program runs there', 'name a pod'));
    return peer;
  }

  /** Waits until the pod's manifest has its address; then removes pod, interface and manifest. The address is free then. */
  async deletePod(namespace: string, name: string): Promise<void> {
    const netns = podNamespace(this.id, { namespace, name });
    await this.#pendingAddresses.get(`${namespace}/${name}`);
    await this.#peers.get(netns)?.kill();
    this.#peers.delete(netns);
    await run('ip', ['netns', 'delete', netns]);
    await this.remove('Pod', namespace, name);
  }

  /**
   * As with every CNI: the API server has the pod, then the pod runs, and `addressAfterMs` later the API server has its
   * address.
   */
  async createPod(file: string, addressAfterMs: number): Promise<void> {
    const [manifest] = await readManifestDocuments(this.#fileOf(file));
    if (manifest?.kind !== 'Pod')
      throw new ProblemError(stepFailed(file, 'it has no Pod', 'set the path of a Pod manifest'));
    this.#put(manifest);
    const pod = this.#cluster.pods.find((one) => one.namespace === manifest.namespace && one.name === manifest.name)!;
    const { status: _, ...withoutStatus } = manifest.object;
    await this.#copy.put({ ...manifest, object: withoutStatus });
    await run('ip', ['netns', 'add', podNamespace(this.id, pod)]);
    await makeLinks([podLinkPlan(this.id, pod)]);
    await applyInside(podPlan(this.world, pod));
    await applyInside(podSidePlan(this.world, pod));
    await this.#applyRules();
    await this.#startPod(pod);
    this.#pendingAddresses.set(
      `${pod.namespace}/${pod.name}`,
      new Promise((resolve, reject) => {
        setTimeout(() => this.#copy.put(manifest).then(resolve, reject), addressAfterMs);
      }),
    );
  }

  async apply(file: string): Promise<void> {
    for (const manifest of await readManifestDocuments(this.#fileOf(file))) {
      this.#put(manifest);
      await this.#copy.put(manifest);
    }
    await this.#applyRules();
  }

  async remove(kind: string, namespace: string, name: string): Promise<void> {
    const wanted = manifestName({ kind, namespace, name });
    this.#manifests = this.#manifests.filter((manifest) => manifestName(manifest) !== wanted);
    this.#readCluster();
    await this.#copy.remove({ kind, namespace, name });
  }

  /** Resolves when every delayed address is in the manifests. */
  async settled(): Promise<void> {
    await Promise.all(this.#pendingAddresses.values());
  }

  get #copy(): WorkingCopy {
    return new WorkingCopy(this.manifests);
  }

  #put(manifest: Manifest): void {
    const name = manifestName(manifest);
    this.#manifests = [...this.#manifests.filter((one) => manifestName(one) !== name), manifest];
    this.#readCluster();
  }

  #readCluster(): void {
    const { cluster, problems } = readCluster(this.#manifests);
    if (problems.length > 0) throw new ProblemError(...problems);
    this.#cluster = cluster;
  }

  async #applyRules(): Promise<void> {
    for (const node of this.#cluster.nodes) {
      const namespace = nodeNamespace(this.id, node.name);
      await applyInside({ namespace, settings: [], ip: [], bridge: [], nft: nodeRules(this.world, node), after: [] });
    }
  }

  async #startPod(pod: LabPod): Promise<void> {
    const silentPorts = this.topology.silentPods.filter(
      (one) => one.namespace === pod.namespace && one.name === pod.name,
    );
    const isSilent = (port: PortSpec) =>
      silentPorts.some((one) => one.port === port.port && one.protocol === port.protocol);
    const undeclaredPorts = silentPorts.filter(
      (one) => !pod.listen.some((port) => port.port === one.port && port.protocol === one.protocol),
    );
    const zone = this.topology.podZones.find((one) => one.namespace === pod.namespace && one.name === pod.name)?.zone;
    const dns = zone === undefined ? [] : dnsPorts(zone);
    const declaredPorts = pod.listen.filter(
      (one) => !dns.some(({ port, protocol }) => one.port === port && one.protocol === protocol),
    );
    const answering = declaredPorts.map((port) => ({ ...port, answers: !isSilent(port) }));
    const ports = [...answering, ...undeclaredPorts, ...dns];
    await this.#startPeer(podNamespace(this.id, pod), ports, pod.name);
  }

  #nodePorts(node: string): PortSpec[] {
    const hostPods = this.#cluster.pods.filter((pod) => pod.hostNetwork && pod.node === node);
    return [...this.topology.nodesListen, ...hostPods.flatMap((pod) => pod.listen)];
  }

  async #startPeer(namespace: string, ports: readonly PortSpec[], name: string): Promise<void> {
    const peer = new Peer(namespace);
    this.#peers.set(namespace, peer);
    await peer.listen(ports, name);
  }

  #namespaceOf(place: Place): string | undefined {
    switch (place.kind) {
      case 'pod':
        return podNamespace(this.id, place);
      case 'node':
        return nodeNamespace(this.id, place.name);
      case 'outside':
        return outsideNamespace(this.id, place.name);
      default:
        return undefined;
    }
  }

  #fileOf(file: string): string {
    return join(this.topology.file, '..', file);
  }
}
