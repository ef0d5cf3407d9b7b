// The answer of `waybill policies` as JSON (docs/json.md) and as text.
import { escapeControls } from '../../model/escape.ts';
import type { Direction } from '../../model/verdict.ts';
import type { SelectedPoliciesJson, SelectedPolicyJson, SelectedPolicyStatus } from '../../policy/selected-policies.ts';

/**
 * `pods` is set if the policies select some pods of the workload and not others. `ingress` and `egress` are missing with
 * `hostNetwork`.
 */
export type PodPoliciesJson = {
  pod: string;
  pods?: readonly string[];
  hostNetwork?: true;
  ingress?: SelectedPoliciesJson;
  egress?: SelectedPoliciesJson;
};

export function podPoliciesText(answers: readonly PodPoliciesJson[]): string {
  return `${answers.flatMap(linesOf).map(escapeControls).join('\n')}\n`;
}

function linesOf({ pod, pods, ingress, egress }: PodPoliciesJson): string[] {
  const title = pods === undefined ? pod : `${pod} [${pods.join(', ')}]`;
  if (ingress === undefined || egress === undefined)
    return [`${title}: on the host network, and policies do not select such pods`];
  return [title, ...directionLines('ingress', ingress), ...directionLines('egress', egress)];
}

const isolatedTexts = { yes: 'isolated', no: 'not isolated', unknown: 'not known whether it is isolated' };

function directionLines(direction: Direction, { isolated, policies, open }: SelectedPoliciesJson): string[] {
  return [
    `  ${direction}: ${isolatedTexts[isolated]}`,
    ...policies.flatMap((policy) => policyLines(direction, policy)),
    `    open: ${open}`,
  ];
}

const statusTexts: Record<SelectedPolicyStatus, string> = {
  evaluated: '',
  'not-reached': ', never reached: NetworkPolicies isolate the pod',
  invalid: ', invalid, so not evaluated',
  'not-evaluated': ', recognised, not evaluated',
  'after-network': ', acts on what the network delivered',
};

function policyLines(direction: Direction, policy: SelectedPolicyJson): string[] {
  const { order, tier, priority, selects, status, enforcedBy, rules } = policy;
  const place = tier ?? enforcedBy ?? '';
  const rank = priority === undefined ? '' : ` (priority ${priority})`;
  const doubt = selects === 'maybe' ? ', may select it' : '';
  const preposition = direction === 'ingress' ? 'from' : 'to';
  return [
    `    ${`${order ?? '-'}`.padEnd(3)}${place.padEnd(14)} ${policy.policy}${rank}${doubt}${statusTexts[status]}`,
    ...rules.map(({ rule, action, peers, ports }) => `       [${rule}] ${action}: ${ports} ${preposition} ${peers}`),
    ...(rules.length === 0 && status === 'evaluated' ? ['       no rules: it allows nothing'] : []),
  ];
}
