// Which pod of this node is behind which interface. The kernel never uses an interface index again. So a new pod with
// the address of a dead one is recognised by its new interface, even before the API server reports the change.
import type { ClusterEvent, Pod } from '../../model/kubernetes.ts';
import type { PresentInterface } from '../interfaces/table.ts';

/** After this time, a pod whose interface is gone may be bound to a new one: its sandbox was made again. */
const rebindAfterUs = 10_000_000;

export class LocalPods {
  readonly #node: string;
  readonly #pods = new Map<string, Pod>();
  readonly #podOf = new Map<number, string>();
  readonly #interfaceOf = new Map<string, number>();

  constructor(node: string) {
    this.#node = node;
  }

  receive(event: ClusterEvent): void {
    if ((event.type !== 'put' && event.type !== 'gone') || event.object.kind !== 'Pod') return;
    const pod = event.object;
    if (event.type === 'put' && pod.node === this.#node && !pod.hostNetwork) {
      this.#pods.set(pod.uid, pod);
      return;
    }
    this.#pods.delete(pod.uid);
    this.#interfaceOf.delete(pod.uid);
  }

  /** Binds pods to `interfaces`, which are all that exist now. Returns whether anything changed. */
  bind(interfaces: readonly PresentInterface[], nowUs: number): boolean {
    let changed = false;
    const present = new Set(interfaces.map((link) => link.index));
    for (const index of this.#podOf.keys()) {
      if (present.has(index)) continue;
      this.#podOf.delete(index);
      changed = true;
    }
    for (const link of interfaces) {
      if (this.#podOf.has(link.index)) continue;
      const pod = this.#ownerOf(link, present, nowUs);
      if (pod === undefined) continue;
      this.#podOf.set(link.index, pod.uid);
      this.#interfaceOf.set(pod.uid, link.index);
      changed = true;
    }
    return changed;
  }

  /** Uid of the pod behind the interface; empty if it is not known (yet). */
  podAt(index: number): string {
    return this.#podOf.get(index) ?? '';
  }

  /** The pod that has an address of the interface and is bound to no other one; undefined if several pods match. */
  #ownerOf(link: PresentInterface, present: ReadonlySet<number>, nowUs: number): Pod | undefined {
    const claimants = [...this.#pods.values()].filter(
      (pod) =>
        pod.addresses.some((address) => link.addresses.includes(address)) && this.#isFree(pod, link, present, nowUs),
    );
    return claimants.length === 1 ? claimants[0] : undefined;
  }

  #isFree(pod: Pod, link: PresentInterface, present: ReadonlySet<number>, nowUs: number): boolean {
    const bound = this.#interfaceOf.get(pod.uid);
    if (bound === undefined) return true;
    return !present.has(bound) && nowUs - link.appearedUs > rebindAfterUs;
  }
}
