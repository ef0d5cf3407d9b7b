// A topology brought to life: its network, the programs in its pods, and the manifests as they are right now, which
// the traffic script changes.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { ProblemError } from '../model/problem.ts';
import { disagreements } from './agreement.ts';
import { type LabCluster, type LabPod, type PortSpec, readCluster } from './cluster.ts';
import type { Enforcement } from './enforcement.ts';
import { stepFailed } from './errors.ts';
import { claim, removeLab } from './leftovers.ts';
import { type Manifest, manifestName, readManifestDocuments, WorkingCopy } from './manifests.ts';
import { applyInside, applyPlan, makeLinks } from './network/apply.ts';
import { addFilters, removeFilters, type TcFilter, tcFilters } from './network/enforcement.ts';
import { type LabId, nodeNamespace, outsideNamespace, podLink, podNamespace } from './network/names.ts';
import { networkPlan } from './network/network.ts';
import { type LabWorld, nodeRules, podLinkPlan, podPlan, podSidePlan } from './network/node.ts';
import { redirect } from './network/redirect.ts';
import { type Place, placeText } from './places.ts';
import { Peer } from './programs/peers.ts';
import { startDrop, type TcxProgram } from './programs/tcx-drop.ts';
import { run } from './run.ts';
import type { Topology } from './topology.ts';

export class ClusterNetwork {
  readonly id: LabId = randomBytes(3).toString('hex');
  readonly topology: Topology;
  readonly #peers = new Map<string, Peer>();
  #manifests: Manifest[] = [];
  #cluster: LabCluster = { nodes: [], pods: [], services: [] };
  #folder = '';
  /** What steps put in place, by the name that they gave it. */
  readonly #enforced = new Map<string, { rule: Enforcement; program: TcxProgram | undefined }>();
  #enforcements = 0;
  /** Addresses that the API server has not told yet, by pod. */
  readonly #untold = new Map<string, Promise<void>>();

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
    const enforcement = [...topology.enforcement, ...[...this.#enforced.values()].map(({ rule }) => rule)];
    return { id: this.id, topology, cluster: this.#cluster, outside: topology.outside, enforcement };
  }

  /** Throws a ProblemError with everything in which topology and manifests disagree. */
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
    await Promise.all([...this.#enforced.values()].map(({ program }) => program?.end()));
    await removeLab(this.id);
  }

  peerAt(place: Place): Peer {
    const namespace = this.#namespaceOf(place);
    const peer = namespace === undefined ? undefined : this.#peers.get(namespace);
    if (peer === undefined)
      throw new ProblemError(stepFailed(JSON.stringify(place), 'nothing runs there', 'name a pod'));
    return peer;
  }

  /** The pod, its interface and its manifest go, once its address was told; then its address is free. */
  async deletePod(namespace: string, name: string): Promise<void> {
    const netns = podNamespace(this.id, { namespace, name });
    await this.#untold.get(`${namespace}/${name}`);
    await this.#peers.get(netns)?.kill();
    this.#peers.delete(netns);
    await run('ip', ['netns', 'delete', netns]);
    await this.remove('Pod', namespace, name);
  }

  /**
   * As it is with every CNI: the API server knows of the pod, then the pod runs, and `addressAfterMs` later the API server
   * tells its address.
   */
  async createPod(file: string, addressAfterMs: number): Promise<void> {
    const [manifest] = await readManifestDocuments(this.#fileOf(file));
    if (manifest?.kind !== 'Pod')
      throw new ProblemError(stepFailed(file, 'it holds no Pod', 'give the manifest of one'));
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
    this.#untold.set(
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

  /** Resolves when it is in place. */
  async enforce(handle: string, wanted: Omit<Enforcement, 'order'>): Promise<void> {
    if (this.#enforced.has(handle)) {
      throw new ProblemError(stepFailed(handle, 'something is enforced by that name', 'lift it first'));
    }
    const rule = { ...wanted, order: this.topology.enforcement.length + this.#enforcements };
    this.#enforcements += 1;
    const program = rule.where === 'destination-tcx' ? await startDrop(this.world, rule, this.#folder) : undefined;
    this.#enforced.set(handle, { rule, program });
    if (program !== undefined) return;
    const filtered = this.#filtered(rule);
    if (filtered === undefined) return this.#applyRules();
    await this.#runInside(filtered.pod.node, addFilters(podLink(filtered.pod), filtered.filters));
  }

  /** Resolves when it is gone. */
  async lift(handle: string): Promise<void> {
    const enforced = this.#enforced.get(handle);
    if (enforced === undefined) {
      throw new ProblemError(stepFailed(handle, 'nothing is enforced by that name', 'name one of an earlier step'));
    }
    this.#enforced.delete(handle);
    if (enforced.program !== undefined) return enforced.program.end();
    const filtered = this.#filtered(enforced.rule);
    if (filtered === undefined) return this.#applyRules();
    await this.#runInside(filtered.pod.node, removeFilters(podLink(filtered.pod), filtered.filters));
  }

  /** The filters that the rule is, and the pod at whose interface they stand; undefined for one of the forward path. */
  #filtered(rule: Enforcement): { pod: LabPod; filters: TcFilter[] } | undefined {
    const at = rule.where === 'source-tc' ? rule.from : rule.where === 'destination-tc' ? rule.to : undefined;
    if (at?.kind !== 'pod') return undefined;
    const pod = this.#cluster.pods.find((one) => one.namespace === at.namespace && one.name === at.name);
    if (pod === undefined)
      throw new ProblemError(stepFailed(placeText(at), 'it is not there now', 'name what is there'));
    return { pod, filters: tcFilters(pod, [rule], this.world) };
  }

  async #runInside(node: string, after: readonly string[]): Promise<void> {
    const namespace = nodeNamespace(this.id, node);
    await applyInside({ namespace, settings: [], ip: [], bridge: [], nft: [], after });
  }

  /** Resolves when nothing that a step promised for later is left. */
  async settled(): Promise<void> {
    await Promise.all(this.#untold.values());
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
    const silent = this.topology.silentPods.filter((one) => one.namespace === pod.namespace && one.name === pod.name);
    const isSilent = (port: PortSpec) => silent.some((one) => one.port === port.port && one.protocol === port.protocol);
    const more = silent.filter(
      (one) => !pod.listen.some((port) => port.port === one.port && port.protocol === one.protocol),
    );
    const ports = [...pod.listen.map((port) => ({ ...port, answers: !isSilent(port) })), ...more];
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
