// Pods that do what their policies declare, all the time. Each of their connections is remembered, and compared with what
// Waybill reports about it.
import type { ConnectionJson, FindingJson } from '../../model/json.ts';
import type { ClusterNetwork } from '../cluster/cluster-network.ts';
import { addressesOf, familyOf, type Place } from '../topology/places.ts';

/** What Waybill must report about a connection: one of the values of each field. */
export type Expected = {
  outcome: readonly string[];
  verdict: string;
  delivered: readonly string[];
  /** A kind, or `none`. */
  finding: string;
  /** Number of connections at most; an attack may split one. Default: exactly one. */
  maxConnections?: number;
};

export type HonestFlow = {
  name: string;
  from: Place & { kind: 'pod' };
  to: Place;
  port: number;
  protocol: 'TCP' | 'UDP';
  everyMs: number;
  /** The name of a DNS query. */
  asks?: string;
  expected: Expected;
};

/** `endedMs` 0: it is still open. */
export type HonestConnection = {
  flow: HonestFlow;
  sourcePort: number;
  startedMs: number;
  endedMs: number;
  expected: Expected;
};

const timeoutMs = 2_500;
/** Below the ports that the kernel assigns. */
const ports = { first: 20_001, last: 32_767 };

export class HonestTraffic {
  readonly made: HonestConnection[] = [];
  readonly #network: ClusterNetwork;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #dialing = new Set<Promise<void>>();
  #open: (() => Promise<unknown>) | undefined;
  #nextPort = ports.first;

  constructor(network: ClusterNetwork) {
    this.#network = network;
  }

  /** `open` stays open and sends until `stop`. */
  start(flows: readonly HonestFlow[], open: HonestFlow): void {
    for (const flow of flows) this.#timers.push(setInterval(() => void this.dial(flow), flow.everyMs));
    const peer = this.#network.peerAt(open.from);
    const connection = this.#add(open, open.expected);
    const { id } = peer.open(this.#dialOf(connection), open.everyMs);
    this.#open = async () => {
      await peer.close(id);
      connection.endedMs = Date.now();
    };
  }

  /** Makes one connection. `expected` replaces that of the flow, for a connection that an attack disturbs. */
  dial(flow: HonestFlow, expected = flow.expected): { sourcePort: number; ended: Promise<void> } {
    const connection = this.#add(flow, expected);
    const ended = this.#network
      .peerAt(flow.from)
      .dial(this.#dialOf(connection))
      .then(() => {
        connection.endedMs = Date.now();
        this.#dialing.delete(ended);
      });
    this.#dialing.add(ended);
    return { sourcePort: connection.sourcePort, ended };
  }

  /** The source port of the connection that stays open. */
  get openPort(): number {
    return this.made[0]!.sourcePort;
  }

  /** Resolves when every connection is closed. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#dialing);
    await this.#open?.();
    this.#open = undefined;
  }

  #add(flow: HonestFlow, expected: Expected): HonestConnection {
    if (this.#nextPort > ports.last) throw new Error('no source port is left for honest traffic');
    const connection = { flow, sourcePort: this.#nextPort, startedMs: Date.now(), endedMs: 0, expected };
    this.#nextPort += 1;
    this.made.push(connection);
    return connection;
  }

  #dialOf({ flow, sourcePort }: HonestConnection) {
    const { to, port, protocol, asks } = flow;
    const address = addressesOf(to, this.#network.world)!.find((one) => familyOf(one) === 'ipv4')!;
    return { address, port, protocol, bytes: 100, timeoutMs, sourcePort, ...(asks === undefined ? {} : { asks }) };
  }
}

/** One line for each connection that Waybill does not report as expected. Pure. */
export function honestFaults(
  made: readonly HonestConnection[],
  connections: readonly ConnectionJson[],
  findings: readonly FindingJson[],
): string[] {
  const keyOf = (namespace: string | undefined, pod: string | undefined, protocol: string, port: number | undefined) =>
    `${namespace}/${pod} ${protocol} ${port}`;
  const reported = Map.groupBy(connections, ({ initiator, protocol, initiatorPort }) =>
    keyOf(initiator.namespace, initiator.pod, protocol, initiatorPort),
  );
  const kinds = new Map(findings.map(({ id, kind }) => [id, kind]));
  return made.flatMap((connection) => {
    const { flow, sourcePort } = connection;
    const found = reported.get(keyOf(flow.from.namespace, flow.from.name, flow.protocol, sourcePort)) ?? [];
    return faultsOf(connection, found, kinds).map((fault) => `${flow.name} (from port ${sourcePort}): ${fault}`);
  });
}

function faultsOf(
  { expected, startedMs }: HonestConnection,
  found: readonly ConnectionJson[],
  kinds: ReadonlyMap<string, string>,
): string[] {
  const max = expected.maxConnections ?? 1;
  if (found.length === 0) return [`not reported (made at ${new Date(startedMs).toISOString()})`];
  const faults = found.length <= max ? [] : [`reported as ${found.length} connections`];
  for (const one of found) {
    const compare = (field: string, allowed: readonly string[], seen: string) => {
      if (!allowed.includes(seen)) faults.push(`${field} ${allowed.join(' or ')} expected, ${seen} seen`);
    };
    compare('outcome', expected.outcome, one.outcome);
    compare('verdict', [expected.verdict], one.reason === undefined ? one.verdict : `${one.verdict} (${one.reason})`);
    compare('delivered', expected.delivered, one.delivered);
    compare('finding', [expected.finding], one.finding === undefined ? 'none' : (kinds.get(one.finding) ?? 'unknown'));
    if (one.packets.forward === 0) faults.push('no packet of the initiator is counted');
  }
  return faults;
}
