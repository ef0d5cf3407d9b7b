// The pods behind the ports of nodes at a given time: host-network pods, and pods with a `hostPort`. A lookup does not depend on
// the number of pods, because every connection of a node needs one.
import type { Address } from '../../model/address.ts';
import { hasEnded, type Pod } from '../../model/kubernetes.ts';
import { AddressOwners } from './address-owners.ts';

export class HostPorts {
  readonly #owners = new AddressOwners();
  readonly #pods = new Set<string>();
  #used = false;
  #anyAtOneAddress = false;

  /** Whether a pod that is not on the host network has or had host ports. */
  get used(): boolean {
    return this.#used;
  }

  /** `when`: as for AddressOwners. A pod that has ended has no host ports. */
  put(pod: Pod, atUs: number, when: 'initial' | 'change'): void {
    const keys = hasEnded(pod) || pod.node === '' ? [] : keysOf(pod);
    if (keys.length === 0 && !this.#pods.has(pod.uid)) return;
    this.#pods.add(pod.uid);
    this.#used ||= !pod.hostNetwork;
    this.#anyAtOneAddress ||= !pod.hostNetwork && pod.ports.some(({ hostPort }) => hostPort?.ip !== undefined);
    this.#owners.put(pod, atUs, when, keys);
  }

  remove(pod: Pod, atUs: number): void {
    if (this.#pods.delete(pod.uid)) this.#owners.remove(pod, atUs);
  }

  /**
   * The uid of the pod that declares the port at that address of the node, else at every address; undefined for none, and
   * if several pods do.
   */
  uidAt(node: string, address: Address, protocol: number, port: number, timeUs: number): string | undefined {
    const uid = this.#anyAtOneAddress ? this.#uidOf(keyOf(node, address, protocol, port), timeUs) : undefined;
    return uid ?? this.#uidOf(keyOf(node, '', protocol, port), timeUs);
  }

  #uidOf(key: string, timeUs: number): string | undefined {
    const owner = this.#owners.at(key, timeUs);
    return owner.owner === 'pod' ? owner.uid : undefined;
  }
}

/** A host-network pod has its ports at the node. */
function keysOf({ node, hostNetwork, ports }: Pod): string[] {
  return ports.flatMap(({ protocol, port, hostPort }) => {
    if (hostNetwork) return [keyOf(node, '', protocol, port)];
    return hostPort === undefined ? [] : [keyOf(node, hostPort.ip ?? '', protocol, hostPort.port)];
  });
}

/** `address` is empty for every address of the node. */
function keyOf(node: string, address: string, protocol: number, port: number): string {
  return `${protocol} ${port} ${node} ${address}`;
}
