// The claims of one agent that were refused: about pods of other nodes, and addresses of others. Each is counted once.

export type RefusedClaimCounts = {
  /** Pods of other nodes. */
  pods: number;
  /** Addresses at an interface that are not those of its pod, such as ones that the pod added. Honest agents have them too. */
  podAddresses: number;
  /** Addresses of pods and other nodes that the agent reports as its node's own. */
  nodeAddresses: number;
};

type ClaimKind = keyof RefusedClaimCounts;

/** Most distinct claims that are counted of each kind. */
const maxCounted = 10_000;

export class RefusedClaims {
  readonly #claims: Record<ClaimKind, Set<string>> = {
    pods: new Set(),
    podAddresses: new Set(),
    nodeAddresses: new Set(),
  };

  /** True if this claim was not refused before. */
  add(kind: ClaimKind, claim: string): boolean {
    const known = this.#claims[kind];
    if (known.has(claim) || known.size >= maxCounted) return false;
    known.add(claim);
    return true;
  }

  get isEmpty(): boolean {
    return Object.values(this.#claims).every(({ size }) => size === 0);
  }

  get counts(): RefusedClaimCounts {
    const { pods, podAddresses, nodeAddresses } = this.#claims;
    return { pods: pods.size, podAddresses: podAddresses.size, nodeAddresses: nodeAddresses.size };
  }
}
