// Plays a traffic script and records what the network did with each connection.
import type { Outcome } from '../../model/connection.ts';
import { ProblemError } from '../../model/problem.ts';
import type { ClusterNetwork } from '../cluster/cluster-network.ts';
import type { Peer } from '../programs/peer.ts';
import type { Reached } from '../programs/peer-program.ts';
import { stepFailed } from '../system/errors.ts';
import { addressesOf, familyOf, type Place, placeText } from '../topology/places.ts';
import type { Dial, Step } from '../topology/step.ts';

/** `from` and `to` are addresses; `outcome` is what the network did, `expected` is the script's. */
export type Played = {
  name: string;
  from: readonly string[];
  to: string;
  /** Names of the pods at both ends, if they are pods; behind a Service, of the pod that answered. */
  pods: { initiator: string | undefined; responder: string | undefined };
  /** 0 for ICMP, as is `sourcePort`. */
  port: number;
  /** Unique in a lab, unless the script sets it: identifies the connection in Waybill's output. */
  sourcePort: number;
  protocol: string;
  outcome: Outcome;
  expected: Outcome;
  label: Dial['label'];
};

type Open = { peer: Peer; id: number };

/** Below the ports that the kernel assigns (ip_local_port_range), above every port that listens. */
const firstSourcePort = 20_000;

export class TrafficPlayer {
  readonly #network: ClusterNetwork;
  readonly #played: Played[] = [];
  readonly #open = new Map<string, Open>();
  #nextSourcePort = firstSourcePort;

  constructor(network: ClusterNetwork) {
    this.#network = network;
  }

  get played(): readonly Played[] {
    return this.#played;
  }

  async play(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#step(step);
  }

  /** Closes the connections that the script left open: the last evaluation of a connection is after its end. */
  async end(): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ peer, id }) => peer.close(id)));
    this.#open.clear();
  }

  async #step(step: Step): Promise<void> {
    switch (step.do) {
      case 'connect':
        return this.#connect(step.dial);
      case 'open':
        return this.#openOne(step.handle, step.dial, step.everyMs);
      case 'close': {
        const open = this.#open.get(step.handle);
        if (open === undefined)
          throw new ProblemError(stepFailed(step.handle, 'no open connection has this name', 'open it first'));
        await open.peer.close(open.id);
        this.#open.delete(step.handle);
        return;
      }
      case 'parallel':
        await Promise.all(step.steps.map((one) => this.#step(one)));
        return;
      case 'wait':
        return new Promise((resolve) => setTimeout(resolve, step.ms));
      case 'delete':
        return this.#network.deletePod(step.namespace, step.name);
      case 'create':
        return this.#network.createPod(step.file, step.addressAfterMs);
      case 'apply':
        return this.#network.apply(step.file);
      case 'remove':
        return this.#network.remove(step.kind, step.namespace, step.name);
      case 'enforce':
        return this.#network.enforcement.enforce(step.handle, step.rule);
      case 'lift':
        return this.#network.enforcement.lift(step.handle);
    }
  }

  async #connect(dial: Dial): Promise<void> {
    const peer = this.#network.peerAt(dial.from);
    const address = this.#addressOf(dial);
    const sourcePort = this.#sourcePortOf(dial);
    const reached =
      dial.protocol === 'ICMP' ? await peer.ping(address) : await peer.dial(dialOf(dial, address, sourcePort));
    this.#record(dial, address, sourcePort, reached);
  }

  async #openOne(handle: string, dial: Dial, everyMs: number): Promise<void> {
    const peer = this.#network.peerAt(dial.from);
    const address = this.#addressOf(dial);
    const sourcePort = this.#sourcePortOf(dial);
    const { id, answer } = peer.open(dialOf(dial, address, sourcePort), everyMs);
    this.#open.set(handle, { peer, id });
    this.#record(dial, address, sourcePort, await answer);
  }

  #sourcePortOf(dial: Dial): number {
    if (dial.protocol === 'ICMP') return 0;
    if (dial.sourcePort !== undefined) return dial.sourcePort;
    this.#nextSourcePort += 1;
    return this.#nextSourcePort;
  }

  #addressOf(dial: Dial): string {
    const address = addressesOf(dial.to, this.#network.world)?.find((one) => familyOf(one) === dial.family);
    if (address !== undefined) return address;
    throw new ProblemError(stepFailed(placeText(dial.to), `no ${dial.family} address now`, 'name a place that exists'));
  }

  #record(dial: Dial, to: string, sourcePort: number, { outcome, reached }: Reached): void {
    const from = addressesOf(dial.from, this.#network.world) ?? [];
    const portText = dial.port === 0 ? dial.protocol : `${dial.protocol} ${dial.port}`;
    const name = dial.name || `${placeText(dial.from)} -> ${placeText(dial.to)} ${portText} ${dial.family}`;
    const { port, protocol, label } = dial;
    // Behind a Service, the answer names the pod that answered.
    const backend = dial.to.kind === 'service' && reached !== '' ? reached : undefined;
    const pods = { initiator: podName(dial.from), responder: backend ?? podName(dial.to) };
    this.#played.push({ name, from, to, pods, port, sourcePort, protocol, outcome, expected: dial.outcome, label });
  }
}

function podName(place: Place): string | undefined {
  return place.kind === 'pod' ? place.name : undefined;
}

function dialOf(dial: Dial, address: string, sourcePort: number) {
  return {
    address,
    port: dial.port,
    protocol: dial.protocol as 'TCP' | 'UDP',
    bytes: dial.bytes,
    ...(dial.asks === '' ? {} : { asks: dial.asks }),
    ...(dial.forges === '' ? {} : { forges: dial.forges }),
    timeoutMs: dial.timeoutMs,
    sourcePort,
  };
}
