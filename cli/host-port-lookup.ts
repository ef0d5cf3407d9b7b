// The pods behind the ports of nodes (`hostPort`). A host-network pod is the node itself (rule 13), so its ports count there.
import type { Address } from '../model/address.ts';
import type { ContainerPort } from '../model/kubernetes.ts';
import type { Candidate } from './candidates.ts';
import type { ServiceCandidate } from './service-lookup.ts';

/** `node` is empty if it is not known. */
export type HostPortOwner = {
  name: string;
  node: string;
  hostNetwork: boolean;
  ports: readonly ContainerPort[];
  candidate: Candidate;
};

type HostPort = { owner: HostPortOwner; port: number; ip: Address | undefined };

/** `port` of a candidate is the container port. `mayBeThere`: pods and pod templates whose nodes are not known. */
export type HostPortCandidates = { there: readonly ServiceCandidate[]; mayBeThere: readonly NamedCandidate[] };
type NamedCandidate = ServiceCandidate & { name: string };

export class HostPortLookup {
  /** By protocol and number. */
  readonly #hostPorts = new Map<string, HostPort[]>();

  constructor(owners: Iterable<HostPortOwner>) {
    for (const owner of owners) if (!owner.hostNetwork) this.#add(owner);
  }

  /** The pods with that host port on the node, at that address of it. */
  candidatesAt(node: string, address: Address, protocol: number, port: number): HostPortCandidates {
    const all = this.#hostPorts.get(`${protocol}/${port}`) ?? [];
    const atAddress = all.filter(({ ip }) => ip === undefined || ip === address);
    const candidateOf = ({ owner, port: own }: HostPort) => ({ candidate: owner.candidate, port: own });
    return {
      there: atAddress.filter(({ owner }) => owner.node === node).map(candidateOf),
      mayBeThere: atAddress
        .filter(({ owner }) => owner.node === '')
        .map((one) => ({ ...candidateOf(one), name: one.owner.name })),
    };
  }

  #add(owner: HostPortOwner): void {
    for (const { protocol, port, hostPort } of owner.ports) {
      if (hostPort === undefined) continue;
      const key = `${protocol}/${hostPort.port}`;
      const list = this.#hostPorts.get(key) ?? [];
      list.push({ owner, port, ip: hostPort.ip });
      this.#hostPorts.set(key, list);
    }
  }
}
