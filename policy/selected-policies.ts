// The policies that select a pod in one direction, in the order in which they are evaluated (rules 18 to 22), and what they
// leave open.
import {
  type ClusterAction,
  type ClusterPeer,
  type ClusterPort,
  isUnread,
  type PolicyPeer,
} from '../model/kubernetes.ts';
import { factsOf } from '../model/recognised-policy.ts';
import type { PolicyRef, Tier } from '../model/verdict.ts';
import type { Isolation, TierPolicy } from './compile.ts';
import { policyText } from './explain.ts';
import type { PodParty } from './peers.ts';
import type { Selection } from './policy-set.ts';
import type { RecognisedSide } from './recognised-layer.ts';
import { peersText, portsText } from './rule-text.ts';
import { subjectSelects } from './subject.ts';

/**
 * `not-reached`: NetworkPolicies isolate the pod, so the Baseline tier is never asked. `invalid`: it could not be read as a
 * whole. `not-evaluated`: of another API. `after-network`: acts on what the network delivered.
 */
export type SelectedPolicyStatus = 'evaluated' | 'not-reached' | 'invalid' | 'not-evaluated' | 'after-network';

/** JSON output (docs/json.md). Policies with the same `order` have no order among them. */
export type SelectedPolicyJson = {
  order?: number;
  tier?: Tier;
  policy: string;
  priority?: number;
  selects: 'yes' | 'maybe';
  status: SelectedPolicyStatus;
  enforcedBy?: string;
  rules: readonly SelectedRuleJson[];
};

/** `rule` counts from 0 in the list of the direction. */
export type SelectedRuleJson = { rule: number; action: ClusterAction; peers: string; ports: string };

export type SelectedPoliciesJson = {
  isolated: 'yes' | 'no' | 'unknown';
  policies: readonly SelectedPolicyJson[];
  open: string;
};

/** `pod` is the pod of the selection. */
export function selectedPolicies(selection: Selection, pod: PodParty): SelectedPoliciesJson {
  const { admin, isolating, uncertain, broken, baseline, recognised, afterNetwork } = selection;
  const isolated = isolationOf(selection);
  const priorities = [...new Set(admin.map(priorityOf))];
  const networkOrder = priorities.length + 1;
  const hasNetwork = isolating.length + uncertain.length + broken.length > 0;
  const baselinePriorities = [...new Set(baseline.map(priorityOf))];
  const policies: SelectedPolicyJson[] = [
    ...admin.map((one) => tierPolicyJson(one, priorities.indexOf(priorityOf(one)) + 1, 'evaluated')),
    ...isolating.map((one) => isolationJson(one, networkOrder, 'yes')),
    ...uncertain.map((one) => isolationJson(one, networkOrder, 'maybe')),
    ...broken.map((policy) => brokenJson(policy, networkOrder)),
    ...baseline.map((one) =>
      tierPolicyJson(
        one,
        priorities.length + (hasNetwork ? 1 : 0) + baselinePriorities.indexOf(priorityOf(one)) + 1,
        isolated === 'yes' ? 'not-reached' : 'evaluated',
      ),
    ),
    ...recognisedJson(recognised, pod, 'not-evaluated'),
    ...recognisedJson(afterNetwork, pod, 'after-network'),
  ];
  return { isolated, policies, open: openText(isolated, policies) };
}

/** A document that cannot be read may be a policy that isolates the pod, or replace the one that does. */
function isolationOf({ admin, isolating, uncertain, broken }: Selection): SelectedPoliciesJson['isolated'] {
  if (admin.some(({ object }) => isUnread(object))) return 'unknown';
  if (isolating.length > 0) return 'yes';
  return uncertain.length + broken.length > 0 ? 'unknown' : 'no';
}

/** One for each policy. It selects the pod if one of its parts does. */
function recognisedJson(
  sides: readonly RecognisedSide[],
  pod: PodParty,
  status: SelectedPolicyStatus,
): SelectedPolicyJson[] {
  return [...Map.groupBy(sides, ({ object }) => object)].map(([object, parts]) => {
    const selects = parts.some(({ subject }) => subjectSelects(subject, pod) === 'yes') ? 'yes' : 'maybe';
    const { enforcedBy } = factsOf(object.kind);
    return { policy: policyText(object), selects, status, ...(enforcedBy !== undefined && { enforcedBy }), rules: [] };
  });
}

function openText(isolated: SelectedPoliciesJson['isolated'], policies: readonly SelectedPolicyJson[]): string {
  const rules = policies.filter(({ status }) => status === 'evaluated').flatMap((one) => one.rules);
  const unknown = policies.filter(({ status }) => status === 'invalid' || status === 'not-evaluated');
  const isCertain =
    unknown.length === 0 && policies.every(({ status, selects }) => status !== 'evaluated' || selects === 'yes');
  const uncertain = isCertain ? '' : '; policies that are not evaluated, or that may not select it, could change this';
  const isRefused = policies.some(({ status }) => status === 'after-network');
  const doubt = `${uncertain}${isRefused ? '; a policy that acts on what the network delivered may refuse some of it' : ''}`;
  if (isolated === 'yes') {
    const isAccepting = rules.some(({ action }) => action === 'Accept');
    return `${isAccepting ? 'only what an Accept rule matches' : 'nothing'}${doubt}`;
  }
  if (isolated === 'unknown') return `not known${doubt}`;
  const isDenying = rules.some(({ action }) => action === 'Deny');
  return `everything${isDenying ? ' that no Deny rule matches first' : policies.length === 0 ? ': no policy selects it' : ''}${doubt}`;
}

function priorityOf({ object }: TierPolicy): number {
  return object.priority ?? -1;
}

function tierPolicyJson(part: TierPolicy, order: number, status: SelectedPolicyStatus): SelectedPolicyJson {
  const { object, policy, rules, mayNotApply } = part;
  return {
    order,
    tier: object.tier,
    policy: isUnread(object) ? `document ${policy.name}` : policyText(policy),
    ...(object.priority !== undefined && { priority: object.priority }),
    selects: mayNotApply === undefined && object.broken === undefined ? 'yes' : 'maybe',
    status: object.broken === undefined ? status : 'invalid',
    rules: rules.map((rule, index) => ruleJson(index, rule.action, rule, '')),
  };
}

function isolationJson(
  { object, policy, rules }: Isolation,
  order: number,
  selects: 'yes' | 'maybe',
): SelectedPolicyJson {
  return {
    order,
    tier: 'NetworkPolicy',
    policy: policyText(policy),
    selects,
    status: 'evaluated',
    rules: rules.map((rule, index) => ruleJson(index, 'Accept', rule, object.namespace)),
  };
}

function brokenJson(policy: PolicyRef, order: number): SelectedPolicyJson {
  return { order, tier: 'NetworkPolicy', policy: policyText(policy), selects: 'maybe', status: 'invalid', rules: [] };
}

function ruleJson(
  rule: number,
  action: ClusterAction,
  { peers, ports }: { peers: readonly (PolicyPeer | ClusterPeer)[]; ports: readonly ClusterPort[] },
  namespace: string,
): SelectedRuleJson {
  return { rule, action, peers: peersText(peers, namespace), ports: portsText(ports) };
}
