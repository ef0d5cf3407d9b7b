// The collector's pipeline without ingest, store and API: manifests and records in, findings out. The test advances time.
import { parseManifest } from '../../cluster/manifests/manifest.ts';
import { workloadKey } from '../../collector/findings/finding-id.ts';
import { unconnectedKinds } from '../../collector/findings/findings.ts';
import { ClusterHistory } from '../../collector/identity/cluster-history.ts';
import { DnsNames, interfaceKey, type ReportSource } from '../../collector/identity/dns-names.ts';
import { Identities } from '../../collector/identity/identity.ts';
import { type Forwarders, NearAddresses } from '../../collector/identity/near-address.ts';
import { PolicyHistory } from '../../collector/identity/policy-history.ts';
import { zoneFinder } from '../../collector/identity/zones.ts';
import { Agents } from '../../collector/ingest/agents.ts';
import { NodeClaims } from '../../collector/ingest/node-claims.ts';
import { Pipeline } from '../../collector/pipeline.ts';
import { parsePrefix } from '../../model/address.ts';
import type { Connection } from '../../model/connection.ts';
import { type DnsOrigin, type DnsReport, emptyDnsReport } from '../../model/dns-answer.ts';
import type { Finding } from '../../model/finding.ts';
import { type ClusterEvent, type ClusterObject, isPolicy } from '../../model/kubernetes.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import { defaultPolicyOptions } from '../../policy/options.ts';
import type { AgentState, WireInterface } from '../../proto/wire.ts';
import { atDestination, ip, second, t0 } from './records.ts';

export const graceUs = 10 * second;
/** Trusted in each scene, like the node-local cache. */
export const clusterDns = ip('10.96.0.10');
export const nodeLocalDns = ip('169.254.20.10');

/** The namespace shop and the nodes n1 and n2. */
export const nodes = `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Node
metadata: { name: n1 }
spec: { podCIDRs: [10.0.1.0/24] }
status: { addresses: [{ type: InternalIP, address: 192.0.2.1 }] }
---
apiVersion: v1
kind: Node
metadata: { name: n2 }
spec: { podCIDRs: [10.0.2.0/24] }
status: { addresses: [{ type: InternalIP, address: 192.0.2.2 }] }
`;

/** web (10.0.1.2, node n1) and db (10.0.2.3, node n2) in namespace shop; no policy. */
export const shop = `${nodes}---
${podManifest('web', 'n1', '10.0.1.2')}
---
${podManifest('db', 'n2', '10.0.2.3')}
`;

export function podManifest(name: string, node: string, ip: string, more = ''): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, uid: uid-${name}, labels: { app: ${name} } }
spec: { nodeName: ${node}, containers: [{ name: main, ports: [{ containerPort: 5432, name: sql }] }]${more} }
status: { phase: Running, podIP: ${ip}, podIPs: [{ ip: "${ip}" }] }
`;
}

/** Isolates the pods of `app` for ingress. `from` is the only app that is allowed; '' allows nothing. */
export function ingressPolicy(app: string, from: string): string {
  return `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${app}, namespace: shop }
spec:
  podSelector: { matchLabels: { app: ${app} } }
  policyTypes: [Ingress]
  ingress: ${from === '' ? '[]' : `[{ from: [{ podSelector: { matchLabels: { app: ${from} } } }] }]`}
`;
}

const noForwarders: Forwarders = { prefixes: {}, annotatedNamespaces: [] };

export class Scene {
  nowUs = t0;
  /** How far the records of a node's agent reach, if not until now. */
  readonly coveredUntilUs = new Map<string, number>();
  readonly cluster = new ClusterHistory([clusterDns, nodeLocalDns].map((one) => parsePrefix(`${one}/32`)!));
  readonly agents = new Agents(new NodeClaims(this.cluster));
  readonly pipeline: Pipeline;
  readonly connections = new Map<string, Connection>();
  readonly findings = new Map<string, Finding>();
  /** Ids of connections that became part of others. */
  readonly merged = new Set<string>();
  readonly names = new DnsNames(1000, this.cluster.dnsServers, this.cluster);
  /** Nodes whose agent does not run. */
  readonly #killed = new Set<string>();

  /**
   * `cluster`: manifests of the objects that exist at the start, or what reports them. `declared`: manifests of the declared
   * policies (Git), which are evaluated too.
   */
  constructor(
    cluster: string | ((receive: (event: ClusterEvent) => void) => void),
    declared?: string,
    forwarders = noForwarders,
    maxFindings = 1000,
  ) {
    const identities = new Identities(this.cluster, zoneFinder({}), [], this.agents);
    this.pipeline = new Pipeline(
      {
        join: { answerTimeoutUs: second, maxLagUs: 10 * second, maxWaitUs: 120 * second, maxLive: 10_000 },
        verdict: { policy: defaultPolicyOptions, graceUs },
        maxFindings,
      },
      this.cluster,
      identities,
      this.agents,
      new NearAddresses(this.cluster, this.agents, forwarders),
      this.names,
      declared === undefined ? undefined : historyOf(declared),
    );
    if (typeof cluster === 'function') {
      cluster((event) => this.cluster.receive(event));
      return;
    }
    for (const object of objectsOf(cluster)) this.cluster.receive({ type: 'put', object, atUs: this.nowUs });
    this.cluster.receive({ type: 'synced', atUs: this.nowUs });
  }

  put(manifests: string): void {
    for (const object of objectsOf(manifests)) this.cluster.receive({ type: 'put', object, atUs: this.nowUs });
  }

  gone(manifests: string): void {
    for (const object of objectsOf(manifests)) this.cluster.receive({ type: 'gone', object, atUs: this.nowUs });
  }

  objects(manifests: string): ClusterObject[] {
    return objectsOf(manifests);
  }

  /** The agent of a node reports its interfaces, and full coverage until now. */
  report(
    node: string,
    interfaces: Partial<WireInterface>[],
    nodeAddresses: string[] = [],
    losses: Partial<Pick<AgentState, 'accounting' | 'coverage'>> = {},
    instance = node,
  ): void {
    const wireInterfaces = interfaces.map((one) => ({
      index: 0,
      name: '',
      podUid: '',
      addresses: [],
      watchedSinceUs: t0 - 60 * second,
      seesFromPod: true,
      seesToPod: true,
      goneUs: 0,
      gapFreeSinceUs: 0,
      ...one,
    }));
    const state = {
      version: '',
      source: 'pcap',
      sourceReason: '',
      interfaces: wireInterfaces,
      accounting: losses.accounting ?? null,
      nodeAddresses,
      notWatched: [],
      coverage: losses.coverage ?? null,
    };
    const batch = {
      node,
      instance,
      sequence: 0,
      sentUs: this.nowUs,
      coveredUntilUs: Math.min(this.nowUs, this.coveredUntilUs.get(node) ?? this.nowUs),
      state,
      records: null,
      names: null,
    };
    this.agents.receiveMessage(batch, this.nowUs);
    this.agents.advanceCoverage(batch, this.nowUs);
  }

  /** The agent of a node reports nothing more. */
  killAgent(node: string): void {
    this.#killed.add(node);
  }

  /** The next agent of a node watches these interfaces from now on. */
  startAgent(node: string, interfaces: Partial<WireInterface>[]): void {
    this.#killed.delete(node);
    const watched = interfaces.map((one) => ({ ...one, watchedSinceUs: this.nowUs }));
    this.report(node, watched, [], {}, `${node} at ${this.nowUs}`);
  }

  /** Continues with what a store has. */
  restore(findings: readonly Finding[], connections: readonly Connection[], knownSinceUs = 0): void {
    for (const one of findings) this.findings.set(one.id, one);
    for (const one of connections) this.connections.set(one.id, one);
    const unconnected = findings.filter(({ kind }) => unconnectedKinds.includes(kind));
    this.pipeline.restore(connections, unconnected, this.nowUs, knownSinceUs);
  }

  /** The pod at interface 7 of n1, or at another one, gets the DNS answer now. */
  dnsAnswer(name: string, address: string, ttlSeconds: number, change: Partial<DnsOrigin> = {}): void {
    const server = change.server ?? clusterDns;
    const origin: DnsOrigin = { interfaceIndex: 7, server, asked: server, transport: 'UDP', ...change };
    this.dns({ answers: [{ name, address: ip(address), atUs: this.nowUs, ttlSeconds, origin }] });
  }

  /** The agent of n1 reports DNS. */
  dns(report: Partial<DnsReport>): void {
    this.names.learn({ ...emptyDnsReport, ...report }, this.#askers('n1'), 0);
  }

  #askers(node: string): ReportSource {
    return {
      keyOf: (index) => interfaceKey(node, index),
      podUidOf: (index) => this.agents.provenPodAt(node, node, index),
    };
  }

  see(node: string, ...records: ConnectionRecord[]): void {
    this.names.observe(records, this.#askers(node), 0);
    this.pipeline.receive({ node, clockOffsetUs: 0, records }, this.nowUs);
  }

  /** A connection from a pod of n1 to one of n2, as both agents report it. */
  seeBoth(...records: ConnectionRecord[]): void {
    this.see('n1', ...records);
    this.see('n2', ...records.map(atDestination));
  }

  /** Time passes, every known agent keeps reporting, and the changes are collected. */
  pass(us: number): void {
    this.advance(us);
    this.collect();
  }

  /** The same, but the changes stay in the pipeline. */
  advance(us: number): void {
    const until = this.nowUs + us;
    while (this.nowUs < until) {
      this.nowUs = Math.min(this.nowUs + second / 4, until);
      for (const { node, instance, state } of this.agents.all())
        if (!this.#killed.has(node)) this.report(node, state.interfaces, state.nodeAddresses, state, instance);
      this.pipeline.tick(this.nowUs);
    }
  }

  kinds(): string[] {
    return [...this.findings.values()].map((finding) => finding.kind).sort();
  }

  collect(): void {
    const families = this.pipeline.incompleteFindings();
    const isOf = ({ kind, initiator }: Finding) =>
      families.some((family) => family.kind === kind && family.initiator === workloadKey(initiator));
    this.pipeline.loadFindings(families, [...this.findings.values()].filter(isOf));
    const { connections, merged, findings } = this.pipeline.changes();
    for (const one of connections) this.connections.set(one.id, one);
    for (const id of merged) {
      this.connections.delete(id);
      this.merged.add(id);
    }
    for (const one of findings.put) this.findings.set(one.id, one);
    for (const id of findings.removed) this.findings.delete(id);
  }
}

function historyOf(manifests: string): PolicyHistory {
  const history = new PolicyHistory();
  for (const policy of objectsOf(manifests).filter(isPolicy)) history.put(policy, t0);
  history.synced();
  return history;
}

function objectsOf(manifests: string): ClusterObject[] {
  const { entries, problems } = parseManifest(manifests, 'scene.yaml');
  if (problems.length > 0) throw new Error(`the scene is not valid: ${JSON.stringify(problems)}`);
  return entries.map((entry) => entry.object);
}
