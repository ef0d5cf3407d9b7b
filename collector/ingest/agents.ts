// The state of each agent: the interfaces that it watches and since when, how far its records reach, its losses, and its
// clock offset.
import { type Address, parseAddress } from '../../model/address.ts';
import type { AgentState, FlowBatch, WireInterface } from '../../proto/wire.ts';
import { ClockOffset } from './clock-offset.ts';

/** An agent without a message for this long is `away`. */
export const awayAfterUs = 5_000_000;

const maxNodeAddresses = 1_000;

export type WatchedInterface = {
  node: string;
  index: number;
  podUid: string;
  addresses: readonly Address[];
  /** On the collector's clock. */
  watchedSinceUs: number;
  /** On the collector's clock: watched without a gap since then. */
  gapFreeSinceUs: number;
  seesFromPod: boolean;
  seesToPod: boolean;
  /** On the collector's clock; 0 while the interface exists. */
  goneUs: number;
};

export type AgentView = {
  node: string;
  instance: string;
  connected: boolean;
  lastHeardUs: number;
  /** On the collector's clock: all packets that the agent saw before are in batches that were received. */
  coveredUntilUs: number;
  clockOffsetUs: number;
  /** On the collector's clock; 0 without losses. */
  lastLossUs: number;
  state: AgentState;
  recordsReceived: number;
  duplicatesDropped: number;
};

type Agent = AgentView & { offset: ClockOffset; interfaces: Map<number, WatchedInterface>; lostPackets: number };

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
  readonly #byNode = new Map<string, Agent>();
  readonly #byPod = new Map<string, WatchedInterface>();
  readonly #byAddress = new Map<Address, WatchedInterface>();
  readonly #nodesOf = new Map<Address, Set<string>>();

  /** Call once for each message before it is stored. Returns the clock offset for its records. */
  receiveMessage(batch: FlowBatch, nowUs: number): number {
    const agent = this.#agent(batch.node, batch.instance);
    agent.lastHeardUs = nowUs;
    agent.connected = true;
    agent.clockOffsetUs = agent.offset.observe(nowUs - batch.sentUs, nowUs);
    if (batch.state !== null) this.#learnState(agent, batch.state, nowUs);
    return agent.clockOffsetUs;
  }

  /** Call when the records of the message are stored and joined: before that, a missing record proves nothing. */
  advanceCoverage(batch: FlowBatch): void {
    const agent = this.#byNode.get(batch.node);
    if (agent === undefined || agent.instance !== batch.instance || batch.coveredUntilUs === 0) return;
    agent.coveredUntilUs = Math.max(agent.coveredUntilUs, batch.coveredUntilUs + agent.clockOffsetUs);
  }

  countRecords(node: string, records: number, duplicates: number): void {
    const agent = this.#byNode.get(node);
    if (agent === undefined) return;
    agent.recordsReceived += records;
    agent.duplicatesDropped += duplicates;
  }

  disconnected(node: string, instance: string): void {
    const agent = this.#byNode.get(node);
    if (agent !== undefined && agent.instance === instance) agent.connected = false;
  }

  /** Undefined if no agent of the node reports now. */
  reportingAgent(node: string, nowUs: number): AgentView | undefined {
    const agent = this.#byNode.get(node);
    return agent !== undefined && nowUs - agent.lastHeardUs < awayAfterUs ? agent : undefined;
  }

  /** How far the records of the node's agent reach, also while it is away; undefined if there was none. */
  coveredUntilUs(node: string): number | undefined {
    return this.#byNode.get(node)?.coveredUntilUs;
  }

  podUidAt(node: string, interfaceIndex: number): string {
    return this.#byNode.get(node)?.interfaces.get(interfaceIndex)?.podUid ?? '';
  }

  interfaceAt(node: string, interfaceIndex: number): WatchedInterface | undefined {
    return this.#byNode.get(node)?.interfaces.get(interfaceIndex);
  }

  /** The interface of a pod, by uid if the agent knows the pod, else by address. */
  interfaceOf(podUid: string, address: Address): WatchedInterface | undefined {
    return this.#byPod.get(podUid) ?? this.#byAddress.get(address);
  }

  /** The node that reports the address as its own. Undefined if several nodes do, such as for a bridge that all nodes have. */
  nodeOf(address: Address): string | undefined {
    const nodes = this.#nodesOf.get(address);
    return nodes?.size === 1 ? nodes.values().next().value : undefined;
  }

  all(): readonly AgentView[] {
    return [...this.#byNode.values()];
  }

  #agent(node: string, instance: string): Agent {
    const known = this.#byNode.get(node);
    if (known !== undefined && known.instance === instance) return known;
    if (known !== undefined) {
      this.#forgetInterfaces(known);
      this.#learnNodeAddresses(known, []);
    }
    const fresh: Agent = {
      node,
      instance,
      connected: true,
      lastHeardUs: 0,
      coveredUntilUs: 0,
      clockOffsetUs: 0,
      lastLossUs: 0,
      state: noState,
      recordsReceived: 0,
      duplicatesDropped: 0,
      offset: new ClockOffset(),
      interfaces: new Map(),
      lostPackets: 0,
    };
    this.#byNode.set(node, fresh);
    return fresh;
  }

  #learnState(agent: Agent, state: AgentState, nowUs: number): void {
    this.#forgetInterfaces(agent);
    this.#learnNodeAddresses(agent, state.nodeAddresses);
    agent.state = state;
    for (const link of state.interfaces) this.#learnInterface(agent, link);
    const lost = Object.values(state.accounting?.lost ?? {}).reduce((sum, packets) => sum + packets, 0);
    if (lost > agent.lostPackets) agent.lastLossUs = nowUs;
    agent.lostPackets = lost;
  }

  #learnNodeAddresses(agent: Agent, addresses: readonly string[]): void {
    if (addresses.join() === agent.state.nodeAddresses.join()) return;
    for (const address of parseAddresses(agent.state.nodeAddresses)) this.#nodesOf.get(address)?.delete(agent.node);
    for (const address of parseAddresses(addresses.slice(0, maxNodeAddresses))) {
      const nodes = this.#nodesOf.get(address) ?? new Set();
      this.#nodesOf.set(address, nodes.add(agent.node));
    }
  }

  #learnInterface(agent: Agent, link: WireInterface): void {
    const watched: WatchedInterface = {
      node: agent.node,
      index: link.index,
      podUid: link.podUid,
      addresses: parseAddresses(link.addresses),
      watchedSinceUs: link.watchedSinceUs + agent.clockOffsetUs,
      gapFreeSinceUs: Math.max(link.watchedSinceUs, link.gapFreeSinceUs) + agent.clockOffsetUs,
      seesFromPod: link.seesFromPod,
      seesToPod: link.seesToPod,
      goneUs: link.goneUs === 0 ? 0 : link.goneUs + agent.clockOffsetUs,
    };
    agent.interfaces.set(link.index, watched);
    if (watched.podUid !== '') this.#byPod.set(watched.podUid, watched);
    for (const address of watched.addresses) this.#byAddress.set(address, watched);
  }

  #forgetInterfaces(agent: Agent): void {
    for (const watched of agent.interfaces.values()) {
      if (this.#byPod.get(watched.podUid) === watched) this.#byPod.delete(watched.podUid);
      for (const address of watched.addresses) {
        if (this.#byAddress.get(address) === watched) this.#byAddress.delete(address);
      }
    }
    agent.interfaces.clear();
  }
}

function parseAddresses(addresses: readonly string[]): Address[] {
  return addresses.map(parseAddress).filter((address) => address !== undefined);
}
