// Which rules never decide anything, because another decides every connection that they match before them (rules 18, 19
// and 22). Never wrong: where it cannot be told from the rules alone, a rule is not said to be shadowed.
import type { NetworkPolicy } from '../model/kubernetes.ts';
import type { Declared } from './declared.ts';
import { namesMeant, peersApart, peersWithin, podsApart, podsWithin } from './peers.ts';
import { portsApart, portsWithin } from './ports.ts';
import type { RuleView } from './rule-view.ts';
import { isWithin } from './selectors.ts';

/** `isolation`: these policies isolate whomever a rule of the Baseline tier speaks of, and it is never asked. */
export type Shadow = { by: 'rule'; rule: RuleView } | { by: 'isolation'; policies: readonly NetworkPolicy[] };

/** Asks for many rules of one cluster. */
export class Shadows {
  readonly #declared: Declared;
  /** In the order in which the tiers ask them. */
  readonly #tiered: readonly RuleView[];
  readonly #policies: ReadonlyMap<string, readonly NetworkPolicy[]>;

  constructor(declared: Declared) {
    this.#declared = declared;
    this.#tiered = declared.rules.filter(({ tier }) => tier !== 'NetworkPolicy').sort(byRank);
    const policies = declared.policies.filter((policy) => policy.kind === 'NetworkPolicy');
    this.#policies = Map.groupBy(policies, ({ namespace }) => namespace);
  }

  of(rule: RuleView): Shadow | undefined {
    // What nobody understands stands for everything or nothing (rule 26), and is told by itself.
    if (rule.notUnderstood !== undefined) return undefined;
    for (const earlier of this.#tiered) {
      if (earlier === rule || earlier.direction !== rule.direction || !this.#matchesAll(earlier, rule)) continue;
      if (this.#decidesBefore(earlier, rule)) return { by: 'rule', rule: earlier };
    }
    return rule.tier === 'Baseline' ? this.#isolation(rule) : undefined;
  }

  /** Whether `rule` is not asked once `earlier` matches, and nothing leads past `earlier`. */
  #decidesBefore(earlier: RuleView, rule: RuleView): boolean {
    if (earlier.notUnderstood !== undefined && earlier.action === 'Accept') return false;
    if (earlier.tier === rule.tier) return isAskedBefore(earlier, rule);
    if (earlier.tier !== 'Admin') return false;
    return !this.#tiered.some((pass) => this.#leadsPast(pass, earlier, rule));
  }

  /** A Pass: `earlier` itself, or one before it or of its priority, that may take what `rule` matches out of the tier. */
  #leadsPast(pass: RuleView, earlier: RuleView, rule: RuleView): boolean {
    if (pass.action !== 'Pass' || pass.tier !== 'Admin' || pass.direction !== rule.direction) return false;
    if (pass.notUnderstood !== undefined || isAskedBefore(earlier, pass)) return false;
    const isApart =
      podsApart(pass.subject, rule.subject, this.#declared) ||
      peersApart(pass.peers, rule.peers, this.#declared) ||
      portsApart(pass.ports, rule.ports);
    return !isApart;
  }

  #matchesAll(earlier: RuleView, rule: RuleView): boolean {
    if (earlier.notUnderstood !== undefined) return podsWithin(rule.subject, earlier.subject, this.#declared);
    return (
      portsWithin(rule.ports, earlier.ports) &&
      peersWithin(rule.peers, earlier.peers, this.#declared) &&
      podsWithin(rule.subject, earlier.subject, this.#declared)
    );
  }

  /** Rule 22. */
  #isolation({ subject, direction }: RuleView): Shadow | undefined {
    const isolating = namesMeant(subject)?.map((name) =>
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

/** Of one tier. Of two policies with one priority nobody knows which comes first (rule 19). */
function isAskedBefore(one: RuleView, other: RuleView): boolean {
  if (one.policy === other.policy) return one.index < other.index;
  return one.priority < other.priority;
}

function byRank(a: RuleView, b: RuleView): number {
  const tiers = (a.tier === 'Admin' ? 0 : 1) - (b.tier === 'Admin' ? 0 : 1);
  return tiers || a.priority - b.priority; // sorting is stable: a policy's own rules keep their order
}
