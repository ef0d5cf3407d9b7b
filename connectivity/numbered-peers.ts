// Policies whose pod peers are replaced by numbers. A pod that is not in the manifests has no labels of its own: it has the
// numbers of the peers that certainly match it, so that the policy engine can evaluate it.
import {
  type AnyPolicy,
  type ClusterPeer,
  type ClusterRule,
  isRecognised,
  type PolicyPeer,
  type PolicyRule,
} from '../model/kubernetes.ts';
import type { Party } from '../model/verdict.ts';
import { isClusterPolicy } from '../policy/compile.ts';
import type { Selection } from '../policy/policy-set.ts';
import { rulesOf } from './match-criteria.ts';
import type { PodScope } from './pod-scope.ts';

const labelPrefix = 'peer/';

export class NumberedPeers {
  readonly #scopes: PodScope[] = [];
  readonly #numbers = new Map<string, number>();

  scope(number: number): PodScope {
    return this.#scopes[number]!;
  }

  policiesOf(policies: readonly AnyPolicy[]): AnyPolicy[] {
    return policies.map((policy): AnyPolicy => {
      if (isRecognised(policy) || policy.broken !== undefined) return policy;
      if (isClusterPolicy(policy)) {
        const rule = (one: ClusterRule) => ({ ...one, peers: one.peers.map((peer) => this.#clusterPeer(peer)) });
        return { ...policy, ingress: policy.ingress.map(rule), egress: policy.egress.map(rule) };
      }
      const { namespace, ingress, egress } = policy;
      const rule = (one: PolicyRule) => ({ ...one, peers: one.peers.map((peer) => this.#peer(peer, namespace)) });
      return {
        ...policy,
        ...(ingress !== undefined && { ingress: ingress.map(rule) }),
        ...(egress !== undefined && { egress: egress.map(rule) }),
      };
    });
  }

  /** The numbers of the pod peers in the rules of policies from `policiesOf`. */
  static numbersIn(selection: Selection): number[] {
    return rulesOf(selection).flatMap(({ peers }) =>
      peers.flatMap((peer) => {
        const selector = 'pods' in peer ? peer.pods.podSelector : 'podSelector' in peer ? peer.podSelector : undefined;
        const key = selector?.[0]?.key;
        return key?.startsWith(labelPrefix) ? Number(key.slice(labelPrefix.length)) : [];
      }),
    );
  }

  /** A pod that these peers match, and no others. Its address is not known. */
  static partyOf(numbers: Iterable<number>): Party & { kind: 'pod' } {
    const labels = Object.fromEntries([...numbers].map((number) => [labelPrefix + number, '']));
    return { kind: 'pod', namespace: '', name: '', labels, namespaceLabels: {}, addresses: [], node: '', ports: [] };
  }

  #peer(peer: PolicyPeer, namespace: string): PolicyPeer {
    if ('ipBlock' in peer) return peer;
    const { namespaceSelector, podSelector = [] } = peer;
    return namespaceSelector === undefined
      ? this.#numbered({ ownNamespace: namespace, namespaceSelector: [], podSelector })
      : this.#numbered({ namespaceSelector, podSelector });
  }

  #clusterPeer(peer: ClusterPeer): ClusterPeer {
    if (!('pods' in peer)) return peer;
    const { namespaceSelector, podSelector = [] } = peer.pods;
    return { pods: this.#numbered({ namespaceSelector, podSelector }) };
  }

  #numbered(scope: PodScope) {
    const text = JSON.stringify(scope);
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#scopes.push(scope) - 1;
      this.#numbers.set(text, number);
    }
    const key = labelPrefix + number;
    return { namespaceSelector: [], podSelector: [{ key, operator: 'Exists' as const, values: [] }] };
  }
}
