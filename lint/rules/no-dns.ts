// Pods whose egress is isolated without DNS. Names are needed for nearly every connection, so the pods seem to have no
// network at all.
import { SCTP } from '../../model/protocol.ts';
import { policyText } from '../../policy/explain.ts';
import { listText } from '../../policy/list-text.ts';
import { maySelectNamespace } from '../../policy/selector-sets.ts';
import { selects, selectsWithPartialLabels } from '../../policy/selectors.ts';
import type { LintRule, RuleComplaint } from '../complaint.ts';
import type { DeclaredObjects, PodDeclaration } from '../declared-objects.ts';
import {
  mayHaveOtherPolicy,
  podsByIsolation,
  rulesByPolicy,
  type ValidNetworkPolicy,
  workloadNames,
} from '../isolation.ts';
import type { PeerView, PodScope, RuleView } from '../rule-view.ts';
import { reasonAnnotation } from './open-egress.ts';

export const noDns: LintRule = {
  name: 'no-dns',
  severity: 'high',
  summary:
    'pods isolated for egress by NetworkPolicies of which none allows port 53 to the DNS of the cluster (`low` if they ' +
    'allow no egress at all, without the annotation `waybill.io/reason`)',
  *find(declared) {
    const dns = new DnsPods(declared);
    const rules = rulesByPolicy(declared);
    const allowedByCluster = declared.rules.filter(
      (rule) => rule.tier === 'Admin' && rule.action === 'Accept' && !rule.notUnderstood && dns.mayReach(rule),
    );
    for (const { policies, pods } of podsByIsolation(declared, 'egress')) {
      const egress = policies.flatMap((policy) => rules.get(policy) ?? []).filter(isEgress);
      if (egress.some((rule) => dns.mayReach(rule))) continue;
      const without = pods.filter(
        (pod) =>
          !mayHaveOtherPolicy(declared, pod) &&
          !dns.includes(pod) &&
          !allowedByCluster.some(({ direction, subject }) => {
            return direction === 'egress' && declared.selectablePods(subject).includes(pod);
          }),
      );
      if (without.length > 0) yield* complaintOf(policies, egress, without, declared);
    }
  },
};

function isEgress({ direction }: RuleView): boolean {
  return direction === 'egress';
}

function* complaintOf(
  policies: readonly ValidNetworkPolicy[],
  egress: readonly RuleView[],
  pods: readonly PodDeclaration[],
  declared: DeclaredObjects,
): Iterable<RuleComplaint> {
  const names = `the pods of ${listText(workloadNames(pods))}`;
  if (egress.length === 0) {
    const isReason = (text: unknown) => typeof text === 'string' && text.trim() !== '';
    if (
      policies.some((one) =>
        isReason(declared.manifestFields(one)?.value(['metadata', 'annotations', reasonAnnotation])),
      )
    )
      return;
    yield {
      object: policies[0]!,
      path: ['spec'],
      severity: 'low',
      fault: `${names} may open no connection at all, not even to the DNS of the cluster`,
      fix: `allow what they need and port 53 (UDP and TCP), or give the reason in the annotation ${reasonAnnotation}`,
    };
    return;
  }
  const policy = policies.find(({ egress: rules = [] }) => rules.length > 0)!;
  const all = listText(policies.map(policyText), ' or ');
  yield {
    object: policy,
    path: ['spec', 'egress'],
    fault: `${names} cannot resolve names: no egress rule of ${all} allows port 53 to the DNS of the cluster`,
    fix: 'allow egress to the DNS pods (usually namespace kube-system) on port 53, UDP and TCP',
  };
}

/** OpenShift's DNS pods listen on 5353. */
const dnsPorts = [53, 5353];
const usualNamespaces = ['kube-system', 'openshift-dns'];
const usualLabels = { 'k8s-app': 'kube-dns' };

/** The DNS pods of the cluster: those of its DNS Service, and the usual ones if the folder does not have them. */
class DnsPods {
  readonly #declared: DeclaredObjects;
  readonly #pods: readonly PodDeclaration[];
  readonly #namespaces: readonly string[];
  readonly #ports: ReadonlySet<number>;

  constructor(declared: DeclaredObjects) {
    this.#declared = declared;
    const services = declared.services.filter(({ clusterDns }) => clusterDns);
    this.#pods = declared.pods.filter((pod) => services.some((one) => declared.isBehind(pod, one) !== 'no'));
    this.#namespaces = [...new Set([...usualNamespaces, ...services.map(({ namespace }) => namespace)])];
    const targets = services.flatMap(({ ports }) => ports.map(({ targetPort }) => targetPort));
    const listened = this.#pods.flatMap(({ ports }) => ports.filter(({ name }) => targets.includes(name)));
    const numbers = targets.flatMap((port) => (typeof port === 'number' ? port : []));
    this.#ports = new Set([...dnsPorts, ...numbers, ...listened.map(({ port }) => port)]);
  }

  includes(pod: PodDeclaration): boolean {
    return this.#pods.includes(pod);
  }

  /** Whether the rule may match DNS. An address may be the one of the DNS Service or of a cache on the node. */
  mayReach({ peers, ports }: RuleView): boolean {
    const isDnsPort = ports.some(({ protocol, port, endPort }) => {
      if (protocol === SCTP) return false;
      if (typeof port !== 'number') return true;
      return [...this.#ports].some((one) => port <= one && one <= (endPort ?? port));
    });
    if (ports.length > 0 && !isDnsPort) return false;
    return peers === 'everyone' || peers.some((peer) => this.#mayMatch(peer, ports.length > 0));
  }

  /** A rule that names the port means DNS, also in another namespace. */
  #mayMatch(peer: PeerView, namesPort: boolean): boolean {
    switch (peer.kind) {
      case 'addresses':
      case 'nodes':
        return true;
      case 'names':
        return false;
      case 'pods':
        if (this.#mayBeUsual(peer.pods) || this.#declared.selectablePods(peer.pods).some((pod) => this.#isDns(pod)))
          return true;
        return namesPort && peer.pods.namespace === undefined;
    }
  }

  #isDns(pod: PodDeclaration): boolean {
    return this.includes(pod) || pod.ports.some(({ port, protocol }) => port === 53 && protocol !== SCTP);
  }

  #mayBeUsual({ namespace, namespaceSelector, podSelector }: PodScope): boolean {
    if (selectsWithPartialLabels(podSelector, usualLabels) === 'no') return false;
    return this.#namespaces.some((name) => {
      if (namespace !== undefined) return namespace === name;
      const declared = this.#declared.namespaces.get(name);
      return declared === undefined
        ? maySelectNamespace(namespaceSelector, name)
        : selects(namespaceSelector, declared.labels);
    });
  }
}
