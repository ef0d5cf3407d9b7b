// Policies that have no effect: NetworkPolicies never select pods on the host network (rule 13), and some selectors match
// no pod. Found without traffic, before anyone relies on such a policy.
import type { Finding } from '../../model/finding.ts';
import {
  type LabelSelector,
  type Labels,
  type Pod,
  type Policy,
  templatePods,
  type Workload,
} from '../../model/kubernetes.ts';
import { policyText } from '../../policy/explain.ts';
import { selects, selectsPod } from '../../policy/selectors.ts';
import { explanationText } from './explanation-text.ts';
import { workloadFindingId } from './finding-id.ts';

/** Everything that a policy may select: pods, and workloads that are known by their pod template. */
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

/** `explicit`: pods that the policy selects by label. A policy for whole namespaces includes host-network pods unintentionally. */
type SelectedPods = { selected: readonly (Pod | Workload)[]; explicit: readonly (Pod | Workload)[] };

function selectionFinder({
  pods,
  workloads,
  labelsOf,
}: InertCheckInput): (policy: Policy & { broken?: undefined }) => SelectedPods {
  const byNamespace = Map.groupBy([...pods, ...workloads], (one) => one.namespace);
  return (policy) => {
    if (policy.kind === 'NetworkPolicy') {
      const inNamespace = byNamespace.get(policy.namespace) ?? [];
      const selected = inNamespace.filter((one) => maySelect(policy.podSelector, one));
      return { selected, explicit: selected };
    }
    const { namespaceSelector, podSelector } = policy.subject;
    const selected = [...byNamespace]
      .filter(([namespace]) => selects(namespaceSelector, labelsOf(namespace)))
      .flatMap(([, inNamespace]) => inNamespace.filter((one) => maySelect(podSelector ?? everything, one)));
    return { selected, explicit: podSelector === undefined || podSelector.length === 0 ? [] : selected };
  };
}

/** A policy that may select one of the pods of a template has an effect. */
function maySelect(selector: LabelSelector, one: Pod | Workload): boolean {
  const pods = one.kind === 'Pod' ? [one] : templatePods(one);
  return pods.some(({ labels }) => selectsPod(selector, labels) !== 'no');
}

const everything: LabelSelector = [];

/** An empty selector selects present and future pods, so such a policy is right in an empty namespace too. */
function hasSelector(policy: Policy & { broken?: undefined }): boolean {
  if (policy.kind === 'NetworkPolicy') return policy.podSelector.length > 0;
  const { namespaceSelector, podSelector } = policy.subject;
  return namespaceSelector.length > 0 || (podSelector?.length ?? 0) > 0;
}

function hostNetworkFinding(one: Pod | Workload, policies: readonly string[], nowUs: number): Finding {
  const { namespace, workload } = one;
  const where = one.kind === 'Pod' && one.node !== '' ? { node: one.node } : {};
  const explanation = explanationText({
    claim: `${namespace}/${workload.name} runs on the host network, so ${policies.join(' and ')} cannot cover it.`,
    evidence: ['note: the pod uses the network and the addresses of the node'],
    toDo: 'remove hostNetwork from the pod, or filter on the node',
  });
  return inertFinding(
    { namespace, workload: workload.name, workloadKind: workload.kind, ...where },
    policies,
    explanation,
    nowUs,
  );
}

function selectsNothingFinding(policy: Policy, nowUs: number): Finding {
  const { kind, namespace, name } = policy;
  const explanation = explanationText({
    claim: `${policyText(policy)} selects no pod, so it has no effect.`,
    evidence: [],
    toDo: 'fix the selector, or delete the policy',
  });
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
    id: workloadFindingId('inert', initiator),
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
