// Plays a traffic script and keeps what the network did with each connection.
import type { Outcome } from '../../model/connection.ts';
import { ProblemError } from '../../model/problem.ts';
import type { ClusterNetwork } from '../cluster-network.ts';
import { stepFailed } from '../errors.ts';
import { addressesOf, familyOf, type Place, placeText } from '../places.ts';
import type { Peer, Reached } from '../programs/peers.ts';
import type { Dial, Step } from './step.ts';

/** `from` and `to` are addresses; `outcome` is what the network did, `expected` what the script says it does. */
export type Played = {
  name: string;
  from: readonly string[];
  to: string;
  /** Names of the pods at the ends, where they are pods; behind a Service, of the one that got the connection. */
  pods: { initiator: string | undefined; responder: string | undefined };
  /** 0 for ICMP, as is `sourcePort`. */
  port: number;
  /** No two connections of a lab have the same, unless the script says so: by it they are found again. */
  sourcePort: number;
  protocol: string;
  outcome: Outcome;
  expected: Outcome;
  label: Dial['label'];
};

type Open = { peer: Peer; id: number };

/** Below what the kernel gives by itself (ip_local_port_range), above what anybody listens on. */
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

  /** Closes what the script left open: a connection that goes on is never judged for the last time. */
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
          throw new ProblemError(stepFailed(step.handle, 'nothing is open by that name', 'open it'));
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
        return this.#network.enforce(step.handle, step.rule);
      case 'lift':
        return this.#network.lift(step.handle);
    }
  }

  async #connect(dial: Dial): Promise<void> {
    const peer = this.#network.peerAt(dial.from);
    const address = this.#addressOf(dial);
    const sourcePort = this.#sourcePortOf(dial);
    const reached =
      dial.protocol === 'ICMP' ? await peer.ping(address) : await peer.dial(dialOf(dial, address, sourcePort));
    this.#keep(dial, address, sourcePort, reached);
  }

  async #openOne(handle: string, dial: Dial, everyMs: number): Promise<void> {
    const peer = this.#network.peerAt(dial.from);
    const address = this.#addressOf(dial);
    const sourcePort = this.#sourcePortOf(dial);
    const { id, answer } = peer.open(dialOf(dial, address, sourcePort), everyMs);
    this.#open.set(handle, { peer, id });
    this.#keep(dial, address, sourcePort, await answer);
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
    throw new ProblemError(
      stepFailed(placeText(dial.to), `it has no ${dial.family} address now`, 'name what is there'),
    );
  }

  #keep(dial: Dial, to: string, sourcePort: number, { outcome, reached }: Reached): void {
    const from = addressesOf(dial.from, this.#network.world) ?? [];
    const asked = dial.port === 0 ? dial.protocol : `${dial.protocol} ${dial.port}`;
    const name = dial.name || `${placeText(dial.from)} -> ${placeText(dial.to)} ${asked} ${dial.family}`;
    const { port, protocol, label } = dial;
    // Behind a Service it is who answered, as that one says itself.
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
    timeoutMs: dial.timeoutMs,
    sourcePort,
  };
}
