// The host-network pod behind a port of a node at a given time. A lookup does not depend on the number of pods, because
// every connection of a node needs one.
import type { Pod } from '../../model/kubernetes.ts';
import { AddressOwners } from './address-owners.ts';

export class HostPorts {
  readonly #owners = new AddressOwners();

  /** `when`: as for AddressOwners. A pod that is not on the host network, or has ended, has no host ports. */
  put(pod: Pod, atUs: number, when: 'initial' | 'change'): void {
    this.#owners.put(pod, atUs, when, pod.hostNetwork && pod.endedUs === 0 ? hostPortsOf(pod) : []);
  }

  remove(pod: Pod, atUs: number): void {
    this.#owners.remove(pod, atUs);
  }

  /** The uid of the pod that declares the port; undefined for none, and if several pods do. */
  uidAt(node: string, protocol: number, port: number, timeUs: number): string | undefined {
    const owner = this.#owners.at(hostPort(node, protocol, port), timeUs);
    return owner.owner === 'pod' ? owner.uid : undefined;
  }
}

function hostPortsOf(pod: Pod): string[] {
  return pod.node === '' ? [] : pod.ports.map(({ protocol, port }) => hostPort(pod.node, protocol, port));
}

function hostPort(node: string, protocol: number, port: number): string {
  return `${protocol} ${port} ${node}`;
}
