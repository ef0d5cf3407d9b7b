// The addresses that agents report for their nodes, such as those of bridges and tunnels. Node objects do not list them.
import type { Address } from '../../model/address.ts';
import type { NodeClaims } from './node-claims.ts';

/** Nodes that may report the same address; a bridge of a container runtime is the same on all nodes. */
export class ReportedNodeAddresses {
  readonly #claims: NodeClaims;
  readonly #byNode = new Map<string, readonly Address[]>();
  readonly #nodesOf = new Map<Address, Set<string>>();

  constructor(claims: NodeClaims) {
    this.#claims = claims;
  }

  /** Replaces all addresses of the node. */
  replace(node: string, addresses: readonly Address[]): void {
    const before = this.#byNode.get(node) ?? [];
    if (addresses.join() === before.join()) return;
    for (const address of before) {
      const nodes = this.#nodesOf.get(address);
      nodes?.delete(node);
      if (nodes?.size === 0) this.#nodesOf.delete(address);
    }
    this.#byNode.set(node, addresses);
    for (const address of addresses) this.#nodesOf.set(address, (this.#nodesOf.get(address) ?? new Set()).add(node));
  }

  /**
   * The node that has the address. `observers` are the nodes whose pods saw it: about its own pods, an agent is believed.
   * Another node is believed if its claim is proven, or if it is the only one and the address is a private one. So no agent
   * can make the pods of other nodes talk to a node when they talk to the internet. Undefined if it is not known.
   */
  nodeOf(address: Address, observers: readonly string[]): string | undefined {
    const nodes = this.#nodesOf.get(address);
    if (nodes === undefined) return undefined;
    const unconfirmed: string[] = [];
    const proven: string[] = [];
    for (const node of nodes) {
      const judgement = this.#claims.judgeNodeAddress(node, address);
      if (judgement === 'refused' || judgement === 'not-usable') continue;
      if (observers.includes(node)) return node;
      if (judgement === 'proven') proven.push(node);
      if (judgement === 'private') unconfirmed.push(node);
    }
    const believed = proven.length > 0 ? proven : unconfirmed;
    return believed.length === 1 ? believed[0] : undefined;
  }
}
