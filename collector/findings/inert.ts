// Policies that mean to cover a pod and cannot: pods on the host network are selected by none (rule 13), and a selector
// that fits no pod covers nothing. Said before anyone relies on it.
import type { Finding } from '../../model/finding.ts';
import type { LabelSelector, Labels, Pod, Policy, Workload } from '../../model/kubernetes.ts';
import { policyText } from '../../policy/explain.ts';
import { selects } from '../../policy/selectors.ts';
import { findingId } from './finding-id.ts';

/** Everything that a policy may select: pods as they are, and workloads that are given by their pod template. */
export type InertCheckInput = {
  policies: Iterable<Policy>;
  labelsOf(namespace: string): Labels;
  pods: readonly Pod[];
  workloads: Iterable<Workload>;
};

export function inertFindings(input: InertCheckInput, nowUs: number): Finding[] {
  const selectionOf = selectionFinder(input);
  const hostNetworkWorkloads = new Map<string, { one: Pod | Workload; policies: string[] }>();
  const findings: Finding[] = [];
  for (const policy of input.policies) {
    if (policy.broken !== undefined) continue;
    const { selected, explicit } = selectionOf(policy);
    for (const one of explicit.filter((each) => each.hostNetwork)) {
      const workload = `${one.namespace}/${one.workload.kind}/${one.workload.name}`;
      const known = hostNetworkWorkloads.get(workload) ?? { one, policies: [] };
      if (!known.policies.includes(policyText(policy))) known.policies.push(policyText(policy));
      hostNetworkWorkloads.set(workload, known);
    }
    if (selected.length === 0 && hasSelector(policy)) findings.push(selectsNothingFinding(policy, nowUs));
  }
  for (const { one, policies: policyTexts } of hostNetworkWorkloads.values())
    findings.push(hostNetworkFinding(one, policyTexts, nowUs));
  return findings;
}

/** `explicit`: those that the policy means each by itself; one of the whole cluster covers host-network pods by the way. */
type Selection = { selected: readonly (Pod | Workload)[]; explicit: readonly (Pod | Workload)[] };

function selectionFinder({
  pods,
  workloads,
  labelsOf,
}: InertCheckInput): (policy: Policy & { broken?: undefined }) => Selection {
  const byNamespace = Map.groupBy([...pods, ...workloads], (one) => one.namespace);
  return (policy) => {
    if (policy.kind === 'NetworkPolicy') {
      const inNamespace = byNamespace.get(policy.namespace) ?? [];
      const selected = inNamespace.filter((one) => selects(policy.podSelector, one.labels));
      return { selected, explicit: selected };
    }
    const { namespaceSelector, podSelector } = policy.subject;
    const selected = [...byNamespace]
      .filter(([namespace]) => selects(namespaceSelector, labelsOf(namespace)))
      .flatMap(([, inNamespace]) => inNamespace.filter((one) => selects(podSelector ?? everything, one.labels)));
    return { selected, explicit: podSelector === undefined || podSelector.length === 0 ? [] : selected };
  };
}

const everything: LabelSelector = [];

/** An empty selector means every pod there is or will be: an empty namespace makes no such policy wrong. */
function hasSelector(policy: Policy & { broken?: undefined }): boolean {
  if (policy.kind === 'NetworkPolicy') return policy.podSelector.length > 0;
  const { namespaceSelector, podSelector } = policy.subject;
  return namespaceSelector.length > 0 || (podSelector?.length ?? 0) > 0;
}

function hostNetworkFinding(one: Pod | Workload, policies: readonly string[], nowUs: number): Finding {
  const { namespace, workload } = one;
  const where = one.kind === 'Pod' && one.node !== '' ? { node: one.node } : {};
  const explanation =
    `${namespace}/${workload.name} runs on the host network, so ${policies.join(' and ')} cannot cover it: ` +
    "its traffic is the node's own.";
  return inertFinding(
    { namespace, workload: workload.name, workloadKind: workload.kind, ...where },
    policies,
    explanation,
    nowUs,
  );
}

function selectsNothingFinding(policy: Policy, nowUs: number): Finding {
  const { kind, namespace, name } = policy;
  const explanation = `${policyText(policy)} selects no pod: it changes nothing.`;
  const subject = { ...(namespace !== '' && { namespace }), workload: name, workloadKind: kind };
  return inertFinding(subject, [policyText(policy)], explanation, nowUs);
}

function inertFinding(
  subject: { namespace?: string; workload: string; workloadKind: string; node?: string },
  policies: readonly string[],
  explanation: string,
  nowUs: number,
): Finding {
  const initiator = { kind: 'pod' as const, ...subject };
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
