// Rule 19: two cluster policies of one tier and priority have no order, so where their rules conflict, nothing decides.
import { pathText } from '../../model/field-path.ts';
import { policyText } from '../../policy/explain.ts';
import type { LintRule } from '../complaint.ts';
import type { DeclaredObjects } from '../declared-objects.ts';
import { arePeersDisjoint, arePeersWithin, arePodsDisjoint } from '../peers.ts';
import { arePortsDisjoint, arePortsWithin } from '../ports.ts';
import type { RuleView } from '../rule-view.ts';

export const ambiguousPriority: LintRule = {
  name: 'ambiguous-priority',
  severity: 'high',
  summary:
    'two cluster policies of one tier and priority that give the same connection different actions: neither comes first',
  *find(declared) {
    const rules = declared.rules.filter(({ tier, notUnderstood }) => tier !== 'NetworkPolicy' && !notUnderstood);
    const ofPolicy = Map.groupBy(rules, ({ policy }) => policy);
    const deciding = rules.filter((rule) => !isShadowedInPolicy(rule, ofPolicy.get(rule.policy)!, declared));
    const alike = Map.groupBy(deciding, ({ tier, priority, direction }) => `${tier} ${priority} ${direction}`);
    for (const group of alike.values()) {
      const complained = new Set<string>();
      for (const [at, rule] of group.entries()) {
        for (const other of group.slice(0, at)) {
          const pair = `${policyText(rule.policy)} ${policyText(other.policy)}`;
          if (complained.has(pair) || !conflict(rule, other, declared)) continue;
          complained.add(pair);
          const { policy: object, path, action, priority } = rule;
          yield {
            object,
            path,
            fault: `its ${action} and the ${other.action} of ${policyText(other.policy)} ${pathText(other.path)} match the same connections, and both policies have priority ${priority}, so it is not defined which applies`,
            fix: 'give one of the policies another priority',
          };
        }
      }
    }
  },
};

/** An earlier rule of the same policy decides everything that it matches. */
function isShadowedInPolicy(rule: RuleView, rulesOfPolicy: readonly RuleView[], declared: DeclaredObjects): boolean {
  return rulesOfPolicy.some(
    (earlier) =>
      earlier.direction === rule.direction &&
      earlier.index < rule.index &&
      arePortsWithin(rule.ports, earlier.ports) &&
      arePeersWithin(rule.peers, earlier.peers, declared),
  );
}

function conflict(one: RuleView, other: RuleView, declared: DeclaredObjects): boolean {
  if (one.policy === other.policy || one.action === other.action) return false;
  return (
    !arePortsDisjoint(one.ports, other.ports) &&
    !arePeersDisjoint(one.peers, other.peers, declared) &&
    haveCommonPod(one, other, declared)
  );
}

/** If the folder has none of their pods, the selectors decide. */
function haveCommonPod({ subject }: RuleView, other: RuleView, declared: DeclaredObjects): boolean {
  if (arePodsDisjoint(subject, other.subject, declared)) return false;
  const pods = declared.selectablePods(subject);
  const otherPods = new Set(declared.selectablePods(other.subject));
  return (pods.length === 0 && otherPods.size === 0) || pods.some((pod) => otherPods.has(pod));
}
