// Policies that mean to cover a pod and cannot: pods on the host network are selected by none (rule 13), and a selector
// that fits no pod covers nothing. Said before anyone relies on it.
import type { Finding } from '../../model/finding.ts';
import type { LabelSelector, Labels, Pod, Policy, Workload } from '../../model/kubernetes.ts';
import { policyText } from '../../policy/explain.ts';
import { selects } from '../../policy/selectors.ts';
import { findingId } from './finding-id.ts';

/** Everything that a policy may select: pods as they are, and workloads that are given by their pod template. */
export type Coverable = {
  policies: Iterable<Policy>;
  labelsOf(namespace: string): Labels;
  pods: readonly Pod[];
  workloads: Iterable<Workload>;
};

export function inertFindings(coverable: Coverable, nowUs: number): Finding[] {
  const covered = coveredBy(coverable);
  const onHost = new Map<string, { one: Pod | Workload; policies: string[] }>();
  const found: Finding[] = [];
  for (const policy of coverable.policies) {
    if (policy.broken !== undefined) continue;
    const { all, named } = covered(policy);
    for (const one of named.filter((each) => each.hostNetwork)) {
      const workload = `${one.namespace}/${one.workload.kind}/${one.workload.name}`;
      const known = onHost.get(workload) ?? { one, policies: [] };
      if (!known.policies.includes(policyText(policy))) known.policies.push(policyText(policy));
      onHost.set(workload, known);
    }
    if (all.length === 0 && saysWhom(policy)) found.push(selectsNothing(policy, nowUs));
  }
  for (const { one, policies: named } of onHost.values()) found.push(onHostNetwork(one, named, nowUs));
  return found;
}

/** `named`: those that the policy means each by itself; one of the whole cluster covers host-network pods by the way. */
type Covered = { all: readonly (Pod | Workload)[]; named: readonly (Pod | Workload)[] };

function coveredBy({ pods, workloads, labelsOf }: Coverable): (policy: Policy & { broken?: undefined }) => Covered {
  const byNamespace = Map.groupBy([...pods, ...workloads], (one) => one.namespace);
  return (policy) => {
    if (policy.kind === 'NetworkPolicy') {
      const inNamespace = byNamespace.get(policy.namespace) ?? [];
      const all = inNamespace.filter((one) => selects(policy.podSelector, one.labels));
      return { all, named: all };
    }
    const { namespaceSelector, podSelector } = policy.subject;
    const all = [...byNamespace]
      .filter(([namespace]) => selects(namespaceSelector, labelsOf(namespace)))
      .flatMap(([, inNamespace]) => inNamespace.filter((one) => selects(podSelector ?? everything, one.labels)));
    return { all, named: podSelector === undefined || podSelector.length === 0 ? [] : all };
  };
}

const everything: LabelSelector = [];

/** An empty selector means every pod there is or will be: an empty namespace makes no such policy wrong. */
function saysWhom(policy: Policy & { broken?: undefined }): boolean {
  if (policy.kind === 'NetworkPolicy') return policy.podSelector.length > 0;
  const { namespaceSelector, podSelector } = policy.subject;
  return namespaceSelector.length > 0 || (podSelector?.length ?? 0) > 0;
}

function onHostNetwork(one: Pod | Workload, policies: readonly string[], nowUs: number): Finding {
  const { namespace, workload } = one;
  const where = one.kind === 'Pod' && one.node !== '' ? { node: one.node } : {};
  const explanation =
    `${namespace}/${workload.name} runs on the host network, so ${policies.join(' and ')} cannot cover it: ` +
    "its traffic is the node's own.";
  return inert(
    { namespace, workload: workload.name, workloadKind: workload.kind, ...where },
    policies,
    explanation,
    nowUs,
  );
}

function selectsNothing(policy: Policy, nowUs: number): Finding {
  const { kind, namespace, name } = policy;
  const explanation = `${policyText(policy)} selects no pod: it changes nothing.`;
  const named = { ...(namespace !== '' && { namespace }), workload: name, workloadKind: kind };
  return inert(named, [policyText(policy)], explanation, nowUs);
}

function inert(
  covered: { namespace?: string; workload: string; workloadKind: string; node?: string },
  policies: readonly string[],
  explanation: string,
  nowUs: number,
): Finding {
  const initiator = { kind: 'pod' as const, ...covered };
  return {
    id: findingId('inert', initiator, undefined, undefined, undefined),
    kind: 'inert',
    severity: 'medium',
    initiator,
    connections: 0,
    firstSeenUs: nowUs,
    lastSeenUs: nowUs,
    explanation,
    sides: [],
    evidence: { policies },
  };
}
