// Random traffic, and random changes of the cluster, as steps that a run applies. The same seed gives the same steps.
import type { Address } from '../../model/address.ts';
import { ACK, type ConnectionRecord, RST, SYN } from '../../model/record.ts';
import type { WireInterface } from '../../proto/wire.ts';
import { Chance } from '../policy/oracle/chance.ts';
import { ingressPolicy, nodes } from './pipeline.ts';
import { answered, ip, second, t0 } from './records.ts';
import { RestartingScene } from './restarting-scene.ts';

const steps = 160;
const restarts = 50;
/** Of an address, the collector knows this many former pods. */
const keptOwners = 8;

type Node = 'n1' | 'n2';
type Pod = { name: string; app: string; node: Node; address: Address; uid: string; index: number; sinceUs: number };
type Long = { from: Pod; to: Pod; port: number; responder: Address; beganUs: number; isn: number; translated: boolean };

export type Step = {
  afterUs: number;
  /** Cluster changes, interfaces and records, in order. */
  actions: ((run: Run) => void)[];
  /** Of the agents, if the collector restarts after this step. */
  restart: { reconnectUs: Record<Node, number>; published: boolean } | undefined;
};

/** One run of the steps. */
export class Run {
  readonly world = new RestartingScene(nodes);
  readonly #interfaces: Record<Node, Map<number, Partial<WireInterface>>> = { n1: new Map(), n2: new Map() };
  /** Agents that have not connected again yet. */
  readonly #awayUntilUs: Record<Node, number> = { n1: 0, n2: 0 };
  readonly #queued: [Node, ConnectionRecord[]][] = [];
  /** Of records that an agent has not sent yet. */
  readonly #unsentUs: Record<Node, number[]> = { n1: [], n2: [] };

  link(node: Node, link: Partial<WireInterface> & { index: number }): void {
    const links = this.#interfaces[node];
    links.set(link.index, { ...links.get(link.index), ...link });
  }

  see(node: Node, one: ConnectionRecord): void {
    this.#queued.push([node, [one]]);
    this.#deliver();
  }

  /** The agent lags: it sends a record of that time later. */
  lag(node: Node, timeUs: number): void {
    this.#unsentUs[node].push(timeUs);
  }

  seeLate(node: Node, one: ConnectionRecord): void {
    this.#unsentUs[node].splice(this.#unsentUs[node].indexOf(one.firstUs), 1);
    this.see(node, one);
  }

  pass(us: number): void {
    const { world } = this;
    const untilUs = world.scene.nowUs + us;
    while (world.scene.nowUs < untilUs) {
      world.scene.nowUs = Math.min(world.scene.nowUs + second / 4, untilUs);
      this.#deliver();
      world.scene.pipeline.tick(world.scene.nowUs);
      if (world.scene.nowUs < untilUs) world.publish();
    }
  }

  async restart(reconnectUs: Record<Node, number>): Promise<void> {
    await this.world.restart();
    for (const node of ['n1', 'n2'] as const) this.#awayUntilUs[node] = this.world.scene.nowUs + reconnectUs[node];
  }

  #deliver(): void {
    const { scene } = this.world;
    const ready = (node: Node) => scene.nowUs >= this.#awayUntilUs[node];
    for (let i = 0; i < this.#queued.length; ) {
      const [node, records] = this.#queued[i]!;
      if (ready(node)) {
        this.#queued.splice(i, 1);
        this.world.see(node, ...records);
      } else i += 1;
    }
    for (const node of ['n1', 'n2'] as const) {
      const queuedUs = this.#queued.flatMap(([of, records]) =>
        of === node ? records.map(({ firstUs }) => firstUs) : [],
      );
      const unsentUs = [...this.#unsentUs[node], ...queuedUs];
      scene.coveredUntilUs.set(node, Math.min(scene.nowUs, ...unsentUs.map((us) => us - 1)));
    }
    for (const node of ['n1', 'n2'] as const) if (ready(node)) scene.report(node, [...this.#interfaces[node].values()]);
  }
}

const service = '10.96.0.20' as Address;
const serviceManifest = `
apiVersion: v1
kind: Service
metadata: { name: sql, namespace: shop }
spec: { clusterIP: ${service}, ports: [{ name: sql, port: 80 }], selector: { app: db } }
`;

/** Random changes and traffic, the same for each run. */
export class Script {
  readonly #chance: Chance;
  readonly steps: Step[] = [];
  readonly #pods: Pod[] = [];
  readonly #long: Long[] = [];
  #actions: Step['actions'] = [];
  #nowUs = t0;
  #ports = 20_000;
  #uids = 0;
  #isns = 1;
  readonly #isRough: boolean;
  readonly #maxLateSeconds: number;
  readonly #ownersOf = new Map<Address, number>();
  #recordUs = 0;
  #beganUs = 0;
  #isQuiet = true;
  #late: { atUs: number; node: Node; one: ConnectionRecord }[] = [];

  constructor(seed: number, pace: 'calm' | 'rough') {
    this.#chance = new Chance(seed);
    this.#isRough = pace === 'rough';
    // Calm: less than `join.maxLag`. After a longer lag, a connection was evaluated before, and its finding keeps those times.
    this.#maxLateSeconds = this.#isRough ? 30 : 7;
    this.#createPod('web', 'web', 'n1', '10.0.1.2');
    this.#createPod('job', 'job', 'n1', '10.0.1.9');
    this.#createPod('db', 'db', 'n2', '10.0.2.3');
    this.#createPod('db2', 'db', 'n2', '10.0.2.4');
    this.#putService();
    this.#scale();
    this.#policy();
    const restartAfter = new Set<number>();
    while (restartAfter.size < restarts) restartAfter.add(this.#chance.number(steps));
    for (let step = 0; step < steps; step++) {
      for (const change of this.#chance.list(0, 1, () => this.#chance.one(this.#changes))) change();
      this.#nowUs += 10_000;
      this.#actions.push((run) => run.pass(10_000));
      for (const traffic of this.#chance.list(1, 4, () => this.#chance.one(this.#traffic))) traffic();
      const pause = this.#late.length === 0 ? this.#chance.one([0.25, 0.5, 1, 3, 8]) : this.#chance.one([0.25, 0.5, 1]);
      const afterUs = (this.#late.length === 0 && this.#chance.once(8) ? 60 : pause) * second;
      this.#nowUs += afterUs;
      this.#isQuiet = this.#isRough || afterUs > 2 * second;
      const reconnectUs = { n1: this.#chance.number(4) * second, n2: this.#chance.number(4) * second };
      this.steps.push({
        afterUs,
        actions: this.#actions,
        restart: restartAfter.has(step) ? { reconnectUs, published: !this.#chance.once(3) } : undefined,
      });
      this.#actions = [];
      this.#deliverLate();
    }
    for (const { node, one } of this.#late) this.#actions.push((run) => run.seeLate(node, one));
    this.steps.push({ afterUs: second, actions: this.#actions, restart: undefined });
  }

  get #changes(): (() => void)[] {
    return [
      () => this.#policy(),
      () => this.#replacePod(),
      () => this.#relabel(),
      // A connection that began two seconds before the change may be counted to either version of a Service.
      () => (this.#isQuiet ? this.#serviceComesAndGoes() : this.#policy()),
      () => (this.#isQuiet ? this.#scale() : this.#policy()),
    ];
  }

  get #traffic(): (() => void)[] {
    return [
      () => this.#short(),
      () => this.#short(),
      () => this.#denied(),
      () => this.#begin(),
      () => this.#goOn(),
      () => this.#goOn(),
      () => this.#outside(),
    ];
  }

  #change(type: 'put' | 'gone', manifests: string): void {
    this.#actions.push((run) => run.world.change(type, manifests));
  }

  #createPod(name: string, app: string, node: Node, address: string): void {
    const uid = `uid-${name}-${this.#uids++}`;
    const pod = { name, app, node, address: ip(address), uid, index: 10 + this.#uids, sinceUs: this.#nowUs };
    this.#pods.push(pod);
    this.#change('put', this.#manifestOf(pod));
    const watchedSinceUs = pod.sinceUs;
    this.#actions.push((run) =>
      run.link(node, {
        index: pod.index,
        podUid: uid,
        addresses: [address],
        watchedSinceUs,
        gapFreeSinceUs: watchedSinceUs,
      }),
    );
  }

  #manifestOf({ name, app, node, address, uid }: Pod): string {
    return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, uid: ${uid}, labels: { app: ${app} } }
spec: { nodeName: ${node}, containers: [{ name: main }] }
status: { phase: Running, podIP: ${address}, podIPs: [{ ip: "${address}" }] }
`;
  }

  #replacePod(): void {
    const pod = this.#chance.one(this.#pods);
    this.#pods.splice(this.#pods.indexOf(pod), 1);
    this.#change('gone', this.#manifestOf(pod));
    const goneUs = this.#nowUs;
    this.#actions.push((run) => run.link(pod.node, { index: pod.index, goneUs }));
    this.#createPod(pod.name, pod.app, pod.node, this.#nextAddressOf(pod));
  }

  /** The same, as often as its owners are kept. */
  #nextAddressOf({ address }: Pod): Address {
    const owners = (this.#ownersOf.get(address) ?? 1) + 1;
    const next = owners > keptOwners ? ip(`${address}0`) : address;
    this.#ownersOf.set(next, next === address ? owners : 1);
    return next;
  }

  #policy(): void {
    const app = this.#chance.one(['db', 'web']);
    if (this.#chance.once(3)) this.#change('gone', ingressPolicy(app, ''));
    else this.#change('put', ingressPolicy(app, this.#chance.one(['', 'web', 'job'])));
  }

  #scale(): void {
    const endpoints = this.#pods.filter(({ app }) => app === 'db').slice(0, this.#chance.number(3));
    this.#change(
      'put',
      `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: sql-1, namespace: shop, labels: { kubernetes.io/service-name: sql } }
addressType: IPv4
endpoints: [${endpoints.map(({ address }) => `{ addresses: [${address}] }`).join(', ')}]
ports: [{ name: sql, port: 5432, protocol: TCP }]
`,
    );
  }

  #relabel(): void {
    const label = this.#chance.one(['a', 'b']);
    this.#change('put', `apiVersion: v1\nkind: Namespace\nmetadata: { name: shop, labels: { team: ${label} } }`);
    this.#change(
      this.#chance.one(['put', 'gone'] as const),
      `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: team, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  policyTypes: [Ingress]
  ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: a } } }] }]
`,
    );
  }

  #serviceComesAndGoes(): void {
    if (this.#chance.once(3)) this.#change('gone', serviceManifest);
    else this.#putService();
  }

  #putService(): void {
    this.#change('put', serviceManifest);
  }

  #ends(): { from: Pod; to: Pod } {
    const from = this.#chance.one(this.#pods.filter(({ node }) => node === 'n1'));
    const to = this.#chance.one(this.#pods.filter(({ node }) => node === 'n2'));
    return { from, to };
  }

  /** Both ends report it, one of them sometimes a minute later, after a restart. */
  #report(from: Pod, to: Pod, atSource: ConnectionRecord, atDestination: ConnectionRecord): void {
    const both = [
      { node: from.node, one: { ...atSource, interfaceIndex: from.index } },
      { node: to.node, one: { ...atDestination, point: 'destination' as const, interfaceIndex: to.index } },
    ];
    if (this.#chance.once(2)) both.reverse();
    for (const { node, one } of both) {
      const isLate = this.#chance.once(8);
      // An agent sends the records of the same ends in order, also if a port is used again.
      const before = this.#late.findLast((late) => late.node === node && hasSameEnds(late.one, one));
      const atUs = Math.max(
        before?.atUs ?? 0,
        isLate ? this.#nowUs + this.#chance.number(this.#maxLateSeconds) * second : 0,
      );
      if (atUs > 0) {
        this.#late.push({ atUs, node, one });
        this.#actions.push((run) => run.lag(node, one.firstUs));
      } else this.#actions.push((run) => run.see(node, one));
    }
  }

  #deliverLate(): void {
    for (const { node, one } of this.#late.filter(({ atUs }) => atUs <= this.#nowUs))
      this.#actions.push((run) => run.seeLate(node, one));
    this.#late = this.#late.filter(({ atUs }) => atUs > this.#nowUs);
  }

  #recordOf({ from, port, responder, beganUs, isn }: Long, change: Partial<ConnectionRecord> = {}): ConnectionRecord {
    const toService = responder === service;
    // Each record has a time of its own.
    this.#recordUs = Math.max(this.#nowUs - 5_000, this.#recordUs + 1);
    return answered({
      initiator: from.address,
      initiatorPort: port,
      responder,
      responderPort: toService ? 80 : 5432,
      beganUs,
      isn,
      firstUs: this.#recordUs,
      lastUs: this.#recordUs,
      ...change,
    });
  }

  #newLong(): Long {
    const { from, to } = this.#ends();
    const reuse = this.#chance.once(3);
    const port = reuse ? 1000 + this.#chance.number(2) : this.#ports++;
    // The connection before with these ends is over.
    const over = this.#long.findIndex((one) => one.from === from && one.to === to && one.port === port);
    if (over >= 0) this.#long.splice(over, 1);
    const responder = !reuse && this.#chance.once(3) ? service : to.address;
    // Two connections with the same ends never begin in the same microsecond, which is how their records are assigned.
    this.#beganUs = Math.max(this.#nowUs - 6_000, this.#beganUs + 1);
    return {
      from,
      to,
      port,
      responder,
      beganUs: this.#beganUs,
      isn: this.#isns++,
      translated: this.#chance.once(2),
    };
  }

  #see(one: Long, change: Partial<ConnectionRecord> = {}): void {
    const atSource = this.#recordOf(one, change);
    const atDestination = { ...atSource, responder: one.to.address, responderPort: 5432 };
    const { initiator, initiatorPort, responder, responderPort } = atSource;
    if (one.responder === service && one.translated)
      atSource.translation = {
        original: { initiator, initiatorPort, responder, responderPort },
        translated: { initiator, initiatorPort, responder: one.to.address, responderPort: 5432 },
      };
    this.#report(one.from, one.to, atSource, atDestination);
  }

  #short(): void {
    this.#see(this.#newLong(), { ended: true });
  }

  #denied(): void {
    const one = this.#newLong();
    const kind = this.#chance.one(['silent', 'reset', 'arrived'] as const);
    const silent = {
      packets: { forward: 1, reverse: 0 },
      tcpFlags: { forward: SYN, reverse: 0 },
      bytes: { forward: 74, reverse: 0 },
    };
    const reset = { packets: { forward: 1, reverse: 1 }, tcpFlags: { forward: SYN, reverse: RST | ACK }, ended: true };
    if (kind === 'arrived') this.#see(one, silent);
    else {
      const seen = { ...this.#recordOf(one, kind === 'silent' ? silent : reset), interfaceIndex: one.from.index };
      this.#actions.push((run) => run.see(one.from.node, seen));
    }
  }

  #outside(): void {
    const one = { ...this.#newLong(), responder: ip('203.0.113.9') };
    const seen = { ...this.#recordOf(one), interfaceIndex: one.from.index };
    this.#actions.push((run) => run.see(one.from.node, seen));
  }

  #begin(): void {
    const one = this.#newLong();
    this.#long.push(one);
    this.#see(one);
  }

  #goOn(): void {
    if (this.#long.length === 0) {
      this.#begin();
      return;
    }
    const one = this.#chance.one(this.#long);
    const ended = this.#chance.once(6);
    // Pods that are gone send nothing; what replaced them goes on without a handshake.
    const exists = [one.from, one.to].every((pod) => this.#pods.includes(pod));
    if (ended || !exists) this.#long.splice(this.#long.indexOf(one), 1);
    if (exists) this.#see(one, { ended });
  }
}

function hasSameEnds(a: ConnectionRecord, b: ConnectionRecord): boolean {
  return a.initiator === b.initiator && a.initiatorPort === b.initiatorPort && a.responder === b.responder;
}
