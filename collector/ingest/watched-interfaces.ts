// The interfaces that the agents watch, by pod and by address. A claim is judged when it is used (node-claims.ts), because
// the object that proves it may arrive later than the claim.
import type { Address } from '../../model/address.ts';
import type { InterfaceLoss } from '../../model/unrecorded.ts';
import type { NodeClaims } from './node-claims.ts';

export type WatchedInterface = {
  node: string;
  index: number;
  /** As the agent claims. Empty if it does not know the pod. */
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
  losses: readonly InterfaceLoss[];
};

/**
 * An address has one interface, or a few while a pod replaces another one. By node, so that the claims of one agent leave
 * those of others their place.
 */
const maxClaimsPerAddress = 16;

export class WatchedInterfaces {
  readonly #claims: NodeClaims;
  readonly #byNode = new Map<string, Map<number, WatchedInterface>>();
  /** By uid, of each node. */
  readonly #byPod = new Map<string, Map<string, WatchedInterface>>();
  readonly #byAddress = new Map<Address, Set<WatchedInterface>>();

  constructor(claims: NodeClaims) {
    this.#claims = claims;
  }

  /** Replaces all interfaces of the node. If two have one pod or address, the later one has it now. */
  replace(node: string, interfaces: readonly WatchedInterface[]): void {
    for (const known of this.#byNode.get(node)?.values() ?? []) this.#removeAddresses(known);
    this.#byNode.set(node, new Map(interfaces.map((one) => [one.index, one])));
    const ofPods = interfaces.filter(({ podUid }) => podUid !== '');
    this.#byPod.set(node, new Map(ofPods.map((one) => [one.podUid, one])));
    for (const one of interfaces) this.#addAddresses(one);
  }

  at(node: string, index: number): WatchedInterface | undefined {
    return this.#byNode.get(node)?.get(index);
  }

  /** The interface that the agent of the pod's own node reports. */
  ofPod(uid: string): WatchedInterface | undefined {
    return this.#byPod.get(this.#claims.nodeOfPod(uid))?.get(uid);
  }

  /** The interface that is proven to have the address. */
  atAddress(address: Address): WatchedInterface | undefined {
    let found: WatchedInterface | undefined;
    for (const one of this.#byAddress.get(address) ?? []) {
      if (this.#claims.judgePodAddress(one.node, one.podUid, address) === 'proven') found = one;
    }
    return found;
  }

  /** Whether an interface of that time has the address by a claim that may still be proven. */
  hasPendingClaim(address: Address, timeUs: number): boolean {
    for (const one of this.#byAddress.get(address) ?? []) {
      const existed = one.watchedSinceUs <= timeUs && (one.goneUs === 0 || timeUs <= one.goneUs);
      if (existed && this.#claims.judgePodAddress(one.node, one.podUid, address) === 'pending') return true;
    }
    return false;
  }

  #addAddresses(one: WatchedInterface): void {
    for (const address of one.addresses) {
      const claims = this.#byAddress.get(address) ?? new Set();
      if (claims.size >= maxClaimsPerAddress && countOf(claims, one.node) >= maxClaimsPerAddress) continue;
      this.#byAddress.set(address, claims.add(one));
    }
  }

  #removeAddresses(one: WatchedInterface): void {
    for (const address of one.addresses) {
      const claims = this.#byAddress.get(address);
      claims?.delete(one);
      if (claims?.size === 0) this.#byAddress.delete(address);
    }
  }
}

function countOf(claims: Iterable<WatchedInterface>, node: string): number {
  let count = 0;
  for (const one of claims) if (one.node === node) count += 1;
  return count;
}
