// Policies that mean to cover a pod and cannot: pods on the host network are selected by none (rule 13), and a selector
// that fits no pod covers nothing. Said before anyone relies on it.
import type { Finding } from '../../model/finding.ts';
import type { NetworkPolicy, Pod, Workload } from '../../model/kubernetes.ts';
import { selects } from '../../policy/selectors.ts';
import { findingId } from './finding-id.ts';

/** Everything that a policy may select: pods as they are, and workloads that are given by their pod template. */
export type Coverable = { policies: Iterable<NetworkPolicy>; pods: readonly Pod[]; workloads: Iterable<Workload> };

export function inertFindings({ policies, pods, workloads }: Coverable, nowUs: number): Finding[] {
  const byNamespace = Map.groupBy([...pods, ...workloads], (one) => one.namespace);
  const onHost = new Map<string, { one: Pod | Workload; policies: string[] }>();
  const found: Finding[] = [];
  for (const policy of policies) {
    if (policy.broken !== undefined) continue;
    const covered = (byNamespace.get(policy.namespace) ?? []).filter((one) => selects(policy.podSelector, one.labels));
    for (const one of covered.filter((each) => each.hostNetwork)) {
      const workload = `${one.namespace}/${one.workload.kind}/${one.workload.name}`;
      const known = onHost.get(workload) ?? { one, policies: [] };
      if (!known.policies.includes(nameOf(policy))) known.policies.push(nameOf(policy));
      onHost.set(workload, known);
    }
    // `podSelector: {}` means every pod there is or will be: an empty namespace makes no such policy wrong.
    if (covered.length === 0 && policy.podSelector.length > 0) found.push(selectsNothing(policy, nowUs));
  }
  for (const { one, policies: named } of onHost.values()) found.push(onHostNetwork(one, named, nowUs));
  return found;
}

function nameOf(policy: NetworkPolicy): string {
  return `NetworkPolicy ${policy.namespace}/${policy.name}`;
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

function selectsNothing(policy: NetworkPolicy, nowUs: number): Finding {
  const { namespace, name } = policy;
  const explanation = `${nameOf(policy)} selects no pod: nothing is isolated by it.`;
  return inert({ namespace, workload: name, workloadKind: 'NetworkPolicy' }, [nameOf(policy)], explanation, nowUs);
}

function inert(
  covered: { namespace: string; workload: string; workloadKind: string; node?: string },
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
