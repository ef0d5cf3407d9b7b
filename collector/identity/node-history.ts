// The nodes and their addresses over time: a node that was deleted still had its addresses before.
import { isDeepStrictEqual } from 'node:util';
import type { Address } from '../../model/address.ts';
import type { Node } from '../../model/kubernetes.ts';
import { type Timeline, timelineOf } from './timeline.ts';

/** Versions kept of each node, and of each of its addresses. */
const maxVersions = 16;
/** Former nodes that are kept. */
const maxGone = 5_000;
/** A change may be reported this late. */
const reportedLateUs = 2_000_000;

export class NodeHistory {
  readonly #nodes = new Map<string, Timeline<Node | 'gone'>>();
  /** The name of the node that has the address. */
  readonly #ofAddress = new Map<Address, Timeline<string>>();
  readonly #gone = new Set<string>();

  put(node: Node, atUs: number): void {
    const former = this.now(node.name);
    // Most updates of a node change only fields that are not kept.
    if (isDeepStrictEqual(former, node)) return;
    this.#gone.delete(node.name);
    timelineOf(this.#nodes, node.name, maxVersions).put(node, atUs);
    for (const address of former?.addresses ?? [])
      if (!node.addresses.includes(address)) this.#release(address, node.name, atUs);
    for (const address of node.addresses) {
      const timeline = timelineOf(this.#ofAddress, address, maxVersions);
      if (timeline.latest !== node.name) timeline.put(node.name, atUs);
    }
  }

  remove(name: string, atUs: number): void {
    const former = this.now(name);
    if (former === undefined) return;
    for (const address of former.addresses) this.#release(address, name, atUs);
    this.#nodes.get(name)?.put('gone', atUs);
    this.#gone.add(name);
    if (this.#gone.size > maxGone) this.#forget(this.#gone.values().next().value!);
  }

  now(name: string): Node | undefined {
    const latest = this.#nodes.get(name)?.latest;
    return latest === 'gone' ? undefined : latest;
  }

  /** The node at that time. For a time before the first version, the first version. */
  at(name: string, timeUs: number): Node | undefined {
    const found = nearTime(this.#nodes.get(name), timeUs, 'gone');
    return found === 'gone' ? undefined : found;
  }

  withAddress(address: Address, timeUs: number): Node | undefined {
    const name = nearTime(this.#ofAddress.get(address), timeUs, nobody);
    return name === undefined || name === nobody ? undefined : this.at(name, timeUs);
  }

  *names(): Generator<string> {
    for (const name of this.#nodes.keys()) if (!this.#gone.has(name)) yield name;
  }

  #release(address: Address, name: string, atUs: number): void {
    const timeline = this.#ofAddress.get(address);
    if (timeline?.latest === name) timeline.put(nobody, atUs);
  }

  #forget(name: string): void {
    const timeline = this.#nodes.get(name);
    for (const version of timeline?.between(0, Number.POSITIVE_INFINITY) ?? [])
      for (const address of version === 'gone' ? [] : version.addresses)
        if (this.#ofAddress.get(address)?.latest === nobody) this.#ofAddress.delete(address);
    this.#gone.delete(name);
    this.#nodes.delete(name);
  }
}

const nobody = '';

function nearTime<Value>(timeline: Timeline<Value> | undefined, timeUs: number, none: Value): Value | undefined {
  const then = timeline?.at(timeUs) ?? timeline?.earliest;
  return then === none ? timeline?.at(timeUs + reportedLateUs) : then;
}
