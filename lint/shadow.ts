// Finds rules that never decide, because another rule decides all their connections first (rules 18, 19 and 22). A rule is
// reported only if the rules alone prove it.
import type { NetworkPolicy } from '../model/kubernetes.ts';
import { isWithin } from '../policy/selector-sets.ts';
import type { DeclaredObjects } from './declared-objects.ts';
import { arePeersDisjoint, arePeersWithin, arePodsDisjoint, arePodsWithin, namespaceNames } from './peers.ts';
import { arePortsDisjoint, arePortsWithin } from './ports.ts';
import type { RuleView } from './rule-view.ts';

/** `isolation`: these policies isolate all pods of a Baseline rule, so the rule never applies. */
export type Shadow = { by: 'rule'; rule: RuleView } | { by: 'isolation'; policies: readonly NetworkPolicy[] };

export class ShadowFinder {
  readonly #declared: DeclaredObjects;
  /** In the order of evaluation. */
  readonly #clusterRules: readonly RuleView[];
  readonly #policies: ReadonlyMap<string, readonly NetworkPolicy[]>;

  constructor(declared: DeclaredObjects) {
    this.#declared = declared;
    this.#clusterRules = declared.rules.filter(({ tier }) => tier !== 'NetworkPolicy').sort(byTierAndPriority);
    const policies = declared.policies.filter((policy) => policy.kind === 'NetworkPolicy');
    this.#policies = Map.groupBy(policies, ({ namespace }) => namespace);
  }

  shadowOf(rule: RuleView): Shadow | undefined {
    // A rule with an unknown form matches everything or nothing (rule 26). The rule fails-closed reports it.
    if (rule.notUnderstood !== undefined || rule.undefinedPorts !== undefined) return undefined;
    for (const earlier of this.#clusterRules) {
      if (earlier === rule || earlier.direction !== rule.direction || !this.#matchesAll(earlier, rule)) continue;
      if (this.#decidesFirst(earlier, rule)) return { by: 'rule', rule: earlier };
    }
    return rule.tier === 'Baseline' ? this.#isolationShadow(rule) : undefined;
  }

  /** Whether `rule` is not evaluated after `earlier` matches, and no Pass rule skips `earlier`. */
  #decidesFirst(earlier: RuleView, rule: RuleView): boolean {
    if (earlier.notUnderstood !== undefined && earlier.action === 'Accept') return false;
    if (earlier.tier === rule.tier) return isEvaluatedBefore(earlier, rule);
    if (earlier.tier !== 'Admin') return false;
    return !this.#clusterRules.some((pass) => this.#mayPassBefore(pass, earlier, rule));
  }

  /** Whether `pass` may skip the tier before `earlier` decides: a Pass rule that is `earlier`, before it, or of its priority. */
  #mayPassBefore(pass: RuleView, earlier: RuleView, rule: RuleView): boolean {
    if (pass.action !== 'Pass' || pass.tier !== 'Admin' || pass.direction !== rule.direction) return false;
    if (pass.notUnderstood !== undefined || isEvaluatedBefore(earlier, pass)) return false;
    const isDisjoint =
      arePodsDisjoint(pass.subject, rule.subject, this.#declared) ||
      arePeersDisjoint(pass.peers, rule.peers, this.#declared) ||
      (pass.undefinedPorts === undefined && arePortsDisjoint(pass.ports, rule.ports));
    return !isDisjoint;
  }

  #matchesAll(earlier: RuleView, rule: RuleView): boolean {
    if (earlier.notUnderstood !== undefined) return arePodsWithin(rule.subject, earlier.subject, this.#declared);
    if (earlier.undefinedPorts !== undefined && earlier.ports.length === 0) return false;
    return (
      arePortsWithin(rule.ports, earlier.ports) &&
      arePeersWithin(rule.peers, earlier.peers, this.#declared) &&
      arePodsWithin(rule.subject, earlier.subject, this.#declared)
    );
  }

  /** Rule 22. */
  #isolationShadow({ subject, direction }: RuleView): Shadow | undefined {
    const isolating = namespaceNames(subject)?.map((name) =>
      this.#policies
        .get(name)
        ?.find(
          (policy) =>
            policy.broken === undefined &&
            policy[direction] !== undefined &&
            isWithin(subject.podSelector, policy.podSelector),
        ),
    );
    if (isolating === undefined || isolating.length === 0) return undefined;
    const policies = isolating.filter((policy) => policy !== undefined);
    return policies.length === isolating.length ? { by: 'isolation', policies } : undefined;
  }
}

/** For rules of one tier. The order of two policies with the same priority is not defined (rule 19). */
function isEvaluatedBefore(one: RuleView, other: RuleView): boolean {
  if (one.policy === other.policy) return one.index < other.index;
  return one.priority < other.priority;
}

function byTierAndPriority(a: RuleView, b: RuleView): number {
  const tiers = (a.tier === 'Admin' ? 0 : 1) - (b.tier === 'Admin' ? 0 : 1);
  return tiers || a.priority - b.priority; // sorting is stable: a policy's own rules keep their order
}
