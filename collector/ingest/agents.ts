// The state of each agent: the interfaces that it watches and since when, how far its records reach, its losses, and its
// clock offset. What it says about pods and addresses counts only as far as it is about its own node (node-claims.ts).
import { type Address, parseAddress } from '../../model/address.ts';
import type { CoverageGap, NodeGaps } from '../../model/unrecorded.ts';
import type { AgentState, FlowBatch, WireInterface } from '../../proto/wire.ts';
import { AgentRuns } from './agent-runs.ts';
import { ClockOffset } from './clock-offset.ts';
import { coverageGap, interfaceLosses, type LossesByInterface, lossesAt, lostAnywhere } from './losses.ts';
import { ReportedNodeAddresses } from './node-addresses.ts';
import type { Judgement, NodeClaims } from './node-claims.ts';
import { RefusedClaims } from './refused-claims.ts';
import { type WatchedInterface, WatchedInterfaces } from './watched-interfaces.ts';

/** An agent without a message for this long is `away`. */
export const awayAfterUs = 5_000_000;
/** `allCoveredUntilUs` looks at all agents at most once in this interval. */
const allCoveredIntervalUs = 20_000;

export type AgentView = {
  node: string;
  instance: string;
  connected: boolean;
  lastHeardUs: number;
  /** On the collector's clock: all packets that the agent saw before are in batches that were received. */
  coveredUntilUs: number;
  clockOffsetUs: number;
  /** The node's wall clock minus the agent's clock; 0 for an older agent, whose clock is the wall clock. */
  wallOffsetUs: number;
  /** On the collector's clock: the latest loss that may concern any interface; 0 without losses. */
  lastLossUs: number;
  state: AgentState;
  recordsReceived: number;
  duplicatesDropped: number;
  refusedClaims: RefusedClaims;
};

/** Called at most once for each claim. `claim` says what the agent claims, `reason` why it is refused. */
export type OnRefusedClaim = (node: string, claim: string, reason: string) => void;

type Agent = AgentView & {
  offset: ClockOffset;
  interfaces: ReadonlyMap<number, WatchedInterface>;
  lostPackets: number;
  gaps: readonly CoverageGap[];
  /** Of the agents that ran on the node before. */
  earlierGaps: readonly CoverageGap[];
};

/** Gaps of earlier agents that are kept. */
const maxEarlierGaps = 8;

/** `current` has the state of the node. Other agents of the same node are only counted. */
type NodeAgents = { current: Agent; others: Map<string, Agent> };

/** Most other agents of a node that are remembered. */
const maxOthers = 4;

const noState: AgentState = {
  version: '',
  source: '',
  sourceReason: '',
  interfaces: [],
  accounting: null,
  nodeAddresses: [],
  notWatched: [],
};

export class Agents {
  readonly runs = new AgentRuns();
  readonly #byNode = new Map<string, NodeAgents>();
  readonly #refusedBatches = new Map<string, number>();
  readonly #claims: NodeClaims;
  readonly #onRefusedClaim: OnRefusedClaim;
  readonly #interfaces: WatchedInterfaces;
  readonly #nodeAddresses: ReportedNodeAddresses;
  #gapRevision = 0;
  #allCovered = { atUs: Number.NEGATIVE_INFINITY, untilUs: 0 };

  constructor(claims: NodeClaims, onRefusedClaim: OnRefusedClaim = () => undefined) {
    this.#claims = claims;
    this.#onRefusedClaim = onRefusedClaim;
    this.#interfaces = new WatchedInterfaces(claims);
    this.#nodeAddresses = new ReportedNodeAddresses(claims);
  }

  /**
   * Call once for each message before it is stored. `roundTripUs`: from the collector's last message to this one, if known.
   * Returns the clock offset for its records.
   */
  receiveMessage(batch: FlowBatch, nowUs: number, roundTripUs?: number): number {
    const agent = this.#agent(batch.node, batch.instance, nowUs);
    agent.lastHeardUs = nowUs;
    agent.connected = true;
    agent.clockOffsetUs = agent.offset.observe({ sentUs: batch.sentUs, receivedUs: nowUs, roundTripUs });
    if (batch.clock) agent.wallOffsetUs = batch.clock.wallUs - batch.sentUs;
    if (batch.state !== null) this.#learnState(agent, batch.state, nowUs);
    return agent.clockOffsetUs;
  }

  /** Call when the records of the message are stored and joined: before that, a missing record proves nothing. */
  advanceCoverage({ node, instance, coveredUntilUs, state }: FlowBatch, nowUs: number): void {
    const agent = this.#known(node, instance);
    if (agent === undefined) return;
    // Nobody has seen the packets of the future.
    const untilUs = coveredUntilUs === 0 ? 0 : Math.min(coveredUntilUs + agent.clockOffsetUs, nowUs);
    agent.coveredUntilUs = Math.max(agent.coveredUntilUs, untilUs);
    this.runs.cover(node, instance, agent.coveredUntilUs);
    if (state?.stopped) this.runs.stop(node, instance);
  }

  /** An agent ended its stream in order. Older agents have no other sign that they stopped. */
  endedInOrder(node: string, instance: string): void {
    if (this.#known(node, instance)?.state.watchingSinceUs === 0) this.runs.stop(node, instance);
  }

  /** A batch is refused, and so lost. */
  loseBatch(node: string, instance: string, nowUs: number): void {
    const agent = this.#known(node, instance);
    if (agent !== undefined) agent.lastLossUs = nowUs;
  }

  countRecords(node: string, records: number, duplicates: number): void {
    const agent = this.#byNode.get(node)?.current;
    if (agent === undefined) return;
    agent.recordsReceived += records;
    agent.duplicatesDropped += duplicates;
  }

  countRefusedBatch(node: string): void {
    this.#refusedBatches.set(node, this.refusedBatches(node) + 1);
  }

  /** Batches of the node with an invalid value, also if its agent sent no other ones. */
  refusedBatches(node: string): number {
    return this.#refusedBatches.get(node) ?? 0;
  }

  disconnected(node: string, instance: string): void {
    const agents = this.#byNode.get(node);
    if (agents?.current.instance === instance) agents.current.connected = false;
    agents?.others.delete(instance);
  }

  /** Undefined if no agent of the node reports now. */
  reportingAgent(node: string, nowUs: number): AgentView | undefined {
    const agent = this.#byNode.get(node)?.current;
    return agent !== undefined && isReporting(agent, nowUs) ? agent : undefined;
  }

  /** How far the records of the node's agent reach, also while it is away; undefined if there was none. */
  coveredUntilUs(node: string): number | undefined {
    return this.#byNode.get(node)?.current.coveredUntilUs;
  }

  /** How far the records of every agent reach that reports now. Infinity if none reports. */
  allCoveredUntilUs(nowUs: number): number {
    const { atUs, untilUs } = this.#allCovered;
    if (nowUs >= atUs && nowUs - atUs < allCoveredIntervalUs) return untilUs;
    let lowestUs = Number.POSITIVE_INFINITY;
    for (const { current } of this.#byNode.values())
      if (isReporting(current, nowUs)) lowestUs = Math.min(lowestUs, current.coveredUntilUs);
    this.#allCovered = { atUs: nowUs, untilUs: lowestUs };
    return lowestUs;
  }

  /** How many agents of the node report now. More than one is a mistake, or somebody has the node's certificate. */
  agentsOf(node: string, nowUs: number): number {
    const agents = this.#byNode.get(node);
    if (agents === undefined) return 0;
    const all = [agents.current, ...agents.others.values()];
    return all.filter((one) => isReporting(one, nowUs)).length;
  }

  /** The pod behind the interface as that agent claims it; empty if it does not know the pod. */
  claimedPodAt(node: string, instance: string, interfaceIndex: number): string {
    return this.#known(node, instance)?.interfaces.get(interfaceIndex)?.podUid ?? '';
  }

  /** Like `claimedPodAt`; empty unless the cluster's objects prove that the pod runs on the node. */
  provenPodAt(node: string, instance: string, interfaceIndex: number): string {
    const uid = this.claimedPodAt(node, instance, interfaceIndex);
    return uid !== '' && this.#claims.judgePod(node, uid) === 'proven' ? uid : '';
  }

  interfaceAt(node: string, interfaceIndex: number): WatchedInterface | undefined {
    return this.#interfaces.at(node, interfaceIndex);
  }

  /**
   * The interface of a pod, by uid if it is not empty, else by address. Only what its node is proven to have. Undefined for
   * an address of another interface of the pod, such as a macvlan, which no agent can watch.
   */
  interfaceOf(podUid: string, address: Address): WatchedInterface | undefined {
    const ofPod = podUid === '' ? undefined : this.#interfaces.ofPod(podUid);
    if (ofPod !== undefined && (ofPod.addresses.length === 0 || ofPod.addresses.includes(address))) return ofPod;
    return this.#interfaces.atAddress(address);
  }

  hasPendingClaim(address: Address, timeUs: number): boolean {
    return this.#interfaces.hasPendingClaim(address, timeUs);
  }

  judgePod(node: string, podUid: string): Judgement {
    return this.#claims.judgePod(node, podUid);
  }

  /** The node that has the address. `observers`: the nodes whose pods saw it. */
  nodeOf(address: Address, observers: readonly string[]): string | undefined {
    return this.#nodeAddresses.nodeOf(address, observers);
  }

  /** The gaps of each node whose agent reports gaps at all. The revision changes with them. */
  coverageGaps(): { revision: number; nodes: NodeGaps[] } {
    const reported = [...this.#byNode.values()].filter(({ current }) => Boolean(current.state.coverage));
    const nodes = reported.map(({ current: { node, gaps, earlierGaps } }) => ({
      node,
      gaps: [...earlierGaps, ...gaps],
    }));
    return { revision: this.#gapRevision, nodes };
  }

  all(): readonly AgentView[] {
    return [...this.#byNode.values()].map(({ current }) => current);
  }

  #known(node: string, instance: string): Agent | undefined {
    const agents = this.#byNode.get(node);
    return agents?.current.instance === instance ? agents.current : agents?.others.get(instance);
  }

  /** A new instance takes over. The one before is only counted, unless the new one falls silent. */
  #agent(node: string, instance: string, nowUs: number): Agent {
    const agents = this.#byNode.get(node);
    if (agents === undefined) {
      const current = newAgent(node, instance, new RefusedClaims());
      this.#byNode.set(node, { current, others: new Map() });
      return current;
    }
    const { current, others } = agents;
    if (current.instance === instance) return current;
    const known = others.get(instance);
    if (known !== undefined && nowUs - current.lastHeardUs < awayAfterUs) return known;
    const next = known ?? { ...newAgent(node, instance, current.refusedClaims), earlierGaps: endedGaps(current) };
    this.#gapRevision += 1;
    others.delete(instance);
    others.set(current.instance, current);
    if (others.size > maxOthers) others.delete(others.keys().next().value!);
    this.#byNode.set(node, { current: next, others });
    this.#publishState(next);
    return next;
  }

  #learnState(agent: Agent, state: AgentState, nowUs: number): void {
    if (JSON.stringify(state.coverage) !== JSON.stringify(agent.state.coverage)) {
      agent.gaps = (state.coverage?.gaps ?? []).map((gap) => coverageGap(gap, agent.clockOffsetUs));
      this.#gapRevision += 1;
    }
    agent.state = state;
    const losses = interfaceLosses(state.coverage, agent.clockOffsetUs);
    agent.interfaces = new Map(state.interfaces.map((link) => [link.index, watchedInterface(agent, link, losses)]));
    const lost = lostAnywhere(state);
    if (lost > agent.lostPackets) agent.lastLossUs = nowUs;
    agent.lostPackets = lost;
    this.runs.begin(agent.node, agent.instance, Math.min(watchingSinceUs(agent, nowUs), nowUs));
    if (this.#byNode.get(agent.node)?.current === agent) this.#publishState(agent);
    this.#countRefusedClaims(agent);
  }

  /** Makes the agent's interfaces and addresses those of its node. */
  #publishState(agent: Agent): void {
    this.#interfaces.replace(agent.node, [...agent.interfaces.values()]);
    this.#nodeAddresses.replace(agent.node, parseAddresses(agent.state.nodeAddresses));
  }

  /** Called with each state, so that a claim is counted soon after the object that refutes it is known. */
  #countRefusedClaims(agent: Agent): void {
    const { node, refusedClaims: refused } = agent;
    for (const { index, podUid, addresses } of agent.interfaces.values()) {
      if (podUid !== '' && this.#claims.judgePod(node, podUid) === 'refused') {
        if (refused.add('pods', podUid))
          this.#onRefusedClaim(node, `pod ${podUid} at interface ${index}`, 'the pod does not run on this node');
        continue;
      }
      for (const address of addresses)
        if (this.#claims.judgePodAddress(node, podUid, address) === 'refused')
          refused.add('podAddresses', `${index} ${address}`);
    }
    for (const address of parseAddresses(agent.state.nodeAddresses)) {
      if (this.#claims.judgeNodeAddress(node, address) !== 'refused') continue;
      if (refused.add('nodeAddresses', address))
        this.#onRefusedClaim(node, `node address ${address}`, 'the address is that of a pod or of another node');
    }
  }
}

function isReporting({ lastHeardUs }: Agent, nowUs: number): boolean {
  return nowUs - lastHeardUs < awayAfterUs;
}

/** `refusedClaims` are counted by node: an agent that lied and left stays counted. */
function newAgent(node: string, instance: string, refusedClaims: RefusedClaims): Agent {
  return {
    node,
    instance,
    connected: true,
    lastHeardUs: 0,
    coveredUntilUs: 0,
    clockOffsetUs: 0,
    wallOffsetUs: 0,
    lastLossUs: 0,
    state: noState,
    recordsReceived: 0,
    duplicatesDropped: 0,
    offset: new ClockOffset(),
    interfaces: new Map(),
    lostPackets: 0,
    gaps: [],
    earlierGaps: [],
    refusedClaims,
  };
}

/** Of an agent that another one replaced: what lasted has ended. */
function endedGaps({ gaps, earlierGaps }: Agent): CoverageGap[] {
  return [...earlierGaps, ...gaps.map((gap) => ({ ...gap, ended: true }))].slice(-maxEarlierGaps);
}

/** On the collector's clock. An older agent does not report it: it is when the last of its interfaces was watched. */
function watchingSinceUs({ state, clockOffsetUs }: Agent, nowUs: number): number {
  const reportedUs = state.watchingSinceUs || Math.max(0, ...state.interfaces.map((link) => link.watchedSinceUs));
  return reportedUs === 0 ? nowUs : reportedUs + clockOffsetUs;
}

function watchedInterface(
  { node, clockOffsetUs }: Agent,
  link: WireInterface,
  losses: LossesByInterface,
): WatchedInterface {
  return {
    node,
    index: link.index,
    podUid: link.podUid,
    addresses: parseAddresses(link.addresses),
    watchedSinceUs: link.watchedSinceUs + clockOffsetUs,
    gapFreeSinceUs: Math.max(link.watchedSinceUs, link.gapFreeSinceUs) + clockOffsetUs,
    seesFromPod: link.seesFromPod,
    seesToPod: link.seesToPod,
    goneUs: link.goneUs === 0 ? 0 : link.goneUs + clockOffsetUs,
    losses: lossesAt(losses, link.index),
  };
}

function parseAddresses(addresses: readonly string[]): Address[] {
  return addresses.map(parseAddress).filter((address) => address !== undefined);
}
