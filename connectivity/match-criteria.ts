// The selectors, ports, prefixes and names of policies. Two ends that match the same of them get the same verdicts.
import type { Prefix } from '../model/address.ts';
import type { ClusterPeer, ClusterPort, LabelSelector, Policy, PolicyPeer } from '../model/kubernetes.ts';
import type { Selection } from '../policy/policy-set.ts';

export type Rule = { peers: readonly (PolicyPeer | ClusterPeer)[]; ports: readonly ClusterPort[] };

export type MatchCriteria = {
  /** Namespaces that have a NetworkPolicy. */
  namespacesWithPolicy: ReadonlySet<string>;
  podSelectors: readonly LabelSelector[];
  namespaceSelectors: readonly LabelSelector[];
  nodeSelectors: readonly LabelSelector[];
  portNames: ReadonlySet<string>;
  prefixes: readonly Prefix[];
};

/** Collects the criteria of all `policies`, each selector once. */
export function matchCriteriaOf(policies: readonly Policy[]): MatchCriteria {
  const pods = new DistinctSelectors();
  const namespaces = new DistinctSelectors();
  const nodes = new DistinctSelectors();
  const namespacesWithPolicy = new Set<string>();
  const rules: Rule[] = [];
  for (const policy of policies) {
    if (policy.kind === 'NetworkPolicy') {
      namespacesWithPolicy.add(policy.namespace);
      pods.add(policy.podSelector);
    } else {
      namespaces.add(policy.subject?.namespaceSelector);
      pods.add(policy.subject?.podSelector);
    }
    if (policy.broken === undefined) rules.push(...(policy.ingress ?? []), ...(policy.egress ?? []));
  }
  for (const peer of rules.flatMap((rule) => rule.peers)) {
    if ('pods' in peer) {
      namespaces.add(peer.pods.namespaceSelector);
      pods.add(peer.pods.podSelector);
    } else if ('nodes' in peer) nodes.add(peer.nodes);
    else if (!('ipBlock' in peer || 'networks' in peer || 'domainNames' in peer)) {
      namespaces.add(peer.namespaceSelector);
      pods.add(peer.podSelector);
    }
  }
  return {
    namespacesWithPolicy,
    podSelectors: pods.selectors(),
    namespaceSelectors: namespaces.selectors(),
    nodeSelectors: nodes.selectors(),
    portNames: new Set(rules.flatMap(({ ports }) => ports.map(({ port }) => port)).filter((port) => isName(port))),
    prefixes: prefixesIn(rules),
  };
}

/** The rules of a selection in one direction; a broken policy has none. */
export function rulesOf(selection: Selection): Rule[] {
  const { admin, isolating, uncertain, baseline } = selection;
  return [...admin, ...isolating, ...uncertain, ...baseline].flatMap(({ rules }): readonly Rule[] => rules);
}

export function prefixesIn(rules: readonly Rule[]): Prefix[] {
  return rules.flatMap(({ peers }) =>
    peers.flatMap((peer) => {
      if ('ipBlock' in peer) return [peer.ipBlock.cidr, ...peer.ipBlock.except];
      return 'networks' in peer ? peer.networks : [];
    }),
  );
}

export function domainNamesIn(rules: readonly Rule[]): string[] {
  return rules.flatMap(({ peers }) => peers.flatMap((peer) => ('domainNames' in peer ? peer.domainNames : [])));
}

function isName(port: number | string | undefined): port is string {
  return typeof port === 'string';
}

class DistinctSelectors {
  readonly #selectors = new Map<string, LabelSelector>();

  add(selector: LabelSelector | undefined): void {
    if (selector !== undefined) this.#selectors.set(JSON.stringify(selector), selector);
  }

  selectors(): LabelSelector[] {
    return [...this.#selectors.values()];
  }
}
