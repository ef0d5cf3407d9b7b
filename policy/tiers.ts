// What one tier of cluster policies says of a side (rules 19 to 26): by priority, then by the order of a policy's rules,
// the first rule that matches. Where it is not known whether a rule matches, both answers stand.
import type { ClusterAction } from '../model/kubernetes.ts';
import type {
  Direction,
  Flow,
  Party,
  PassMatch,
  PolicyRef,
  RuleRef,
  SideVerdict,
  UnknownReason,
} from '../model/verdict.ts';
import { clusterPeersMatch } from './cluster-peers.ts';
import type { TierPolicy } from './compile.ts';
import type { PodParty } from './peers.ts';
import { priorityOf } from './policy-set.ts';
import { portsMatch } from './ports.ts';
import { unknownReasonOf } from './unknown-reason.ts';

/** One way in which the tier may end; `doubt` is what would have to be known to tell whether it does. */
type TierOutcome =
  | { action: ClusterAction; policy: PolicyRef; rule: RuleRef; notUnderstood?: string; unknownReason?: UnknownReason }
  | { action: 'undecidable'; unknownReason: UnknownReason };

export type SideContext = { side: Direction; own: PodParty; other: Party; flow: Flow };

/** `below` is what comes after the tier: it is asked where no rule decides, and for Pass. */
export function judgeTier(
  tier: readonly TierPolicy[],
  context: SideContext,
  judgeLowerTiers: () => SideVerdict,
): SideVerdict {
  if (tier.length === 0) return judgeLowerTiers();
  const outcomes: TierOutcome[] = [];
  let fallsThrough = true;
  for (let from = 0; from < tier.length && fallsThrough; ) {
    let to = from + 1;
    while (to < tier.length && priorityOf(tier[to]!) === priorityOf(tier[from]!)) to += 1;
    fallsThrough = judgePriority(tier, from, to, context, outcomes);
    from = to;
  }
  return tierVerdict(outcomes, fallsThrough, tier, context, judgeLowerTiers);
}

/** Which rules pass it on, until one surely does; of a tier that does not decide. */
export function passMatchesOf(tier: readonly TierPolicy[], context: SideContext): PassMatch[] {
  const outcomes: TierOutcome[] = [];
  for (const one of tier) if (!judgePolicy(one, context, outcomes)) break;
  return outcomes.flatMap((one) =>
    one.action === 'Pass' ? { rule: one.rule, sure: one.unknownReason === undefined } : [],
  );
}

/** Policies of one priority. Adds how they may end; says whether they may leave it to the next. */
function judgePriority(
  tier: readonly TierPolicy[],
  from: number,
  to: number,
  context: SideContext,
  outcomes: TierOutcome[],
): boolean {
  const firstIndex = outcomes.length;
  let fallsThrough = true;
  for (let i = from; i < to; i++) if (!judgePolicy(tier[i]!, context, outcomes)) fallsThrough = false;
  if (to - from === 1) return fallsThrough;
  const conflict = conflictOf(outcomes, firstIndex);
  if (conflict === undefined) return fallsThrough;
  // Whatever the answer to a doubt, it cannot be decided.
  if (conflict.sure) outcomes.length = firstIndex;
  outcomes.push(conflict.outcome);
  return fallsThrough;
}

/** Rule 19: two policies of one priority that would decide differently; a broken one may decide in any way (rule 17). */
function conflictOf(
  outcomes: readonly TierOutcome[],
  firstIndex: number,
): { outcome: TierOutcome; sure: boolean } | undefined {
  let conflict: { outcome: TierOutcome; sure: boolean } | undefined;
  for (let j = firstIndex; j < outcomes.length; j++) {
    const other = outcomes[j]!;
    if (other.action === 'undecidable') return { outcome: other, sure: true };
    for (let i = firstIndex; i < j; i++) {
      const one = outcomes[i]!;
      if (one.action === 'undecidable' || one.action === other.action || one.policy === other.policy) continue;
      const sure = one.unknownReason === undefined && other.unknownReason === undefined;
      if (conflict !== undefined && !sure) continue;
      const unknownReason: UnknownReason = { reason: 'ambiguous-priority', policies: [one.policy, other.policy] };
      conflict = { outcome: { action: 'undecidable', unknownReason }, sure };
      if (sure) break;
    }
  }
  return conflict;
}

/** Adds how the policy may end; says whether it may leave it to the next: it may not touch the pod, or no rule match. */
function judgePolicy(
  { object, policy, rules, mayNotApply }: TierPolicy,
  context: SideContext,
  outcomes: TierOutcome[],
): boolean {
  if (object.broken !== undefined) {
    outcomes.push({ action: 'undecidable', unknownReason: { reason: 'broken-policy', policies: [policy] } });
    return mayNotApply === true;
  }
  const { own, other, flow } = context;
  const subjectUnknown = mayNotApply && unknownReasonOf('maybe-labelled', own, [policy]);
  for (let i = 0; i < rules.length; i++) {
    const { action, peers, ports, notUnderstood } = rules[i]!;
    if (notUnderstood !== undefined) {
      // Rule 26: what nobody understands allows nothing, and anything else denies.
      if (action === 'Accept') continue;
      const rule: RuleRef = { tier: object.tier, policy, rule: i };
      outcomes.push({
        action: 'Deny',
        policy,
        rule,
        notUnderstood,
        ...(subjectUnknown && { unknownReason: subjectUnknown }),
      });
      return mayNotApply === true;
    }
    if (portsMatch(ports, flow) !== 'yes') continue;
    const match = clusterPeersMatch(peers, own, other);
    if (match === 'no') continue;
    const rule: RuleRef = { tier: object.tier, policy, rule: i };
    if (match !== 'yes')
      outcomes.push({ action, policy, rule, unknownReason: unknownReasonOf(match, other, [policy]) });
    else if (subjectUnknown) {
      outcomes.push({ action, policy, rule, unknownReason: subjectUnknown });
      return true;
    } else {
      outcomes.push({ action, policy, rule });
      return false;
    }
  }
  return true;
}

/** The verdict in which all endings agree, whatever the answer to the doubts; else unknown, with the first of them. */
function tierVerdict(
  outcomes: readonly TierOutcome[],
  fallsThrough: boolean,
  tier: readonly TierPolicy[],
  { side, flow }: SideContext,
  judgeLowerTiers: () => SideVerdict,
): SideVerdict {
  const last = outcomes.at(-1);
  if (last === undefined) return judgeLowerTiers();
  let lower: SideVerdict | undefined;
  const lowerVerdict = () => {
    lower ??= judgeLowerTiers();
    return lower;
  };
  const verdictOf = (outcome: TierOutcome): SideVerdict => {
    switch (outcome.action) {
      case 'Accept':
        return { side, verdict: 'allowed', decidedBy: outcome.rule };
      case 'Deny':
        return {
          side,
          verdict: 'denied',
          flow,
          decidedBy: outcome.rule,
          ...(outcome.notUnderstood !== undefined && { notUnderstood: outcome.notUnderstood }),
        };
      case 'Pass':
        return lowerVerdict();
      case 'undecidable':
        return { side, verdict: 'unknown', why: outcome.unknownReason };
    }
  };
  const certain = fallsThrough
    ? lowerVerdict()
    : verdictOf(outcomes.find((one) => one.unknownReason === undefined) ?? last);
  if (certain.verdict === 'unknown') return certain;
  for (const outcome of outcomes) {
    if (outcome.unknownReason === undefined || verdictOf(outcome).verdict === certain.verdict) continue;
    return { side, verdict: 'unknown', why: outcome.unknownReason };
  }
  if (certain.verdict === 'denied') addInsertBefore(certain, outcomes, tier);
  return certain;
}

/** Nothing where a rule before the one that decided would do. */
function addInsertBefore(
  denial: SideVerdict & { verdict: 'denied' },
  outcomes: readonly TierOutcome[],
  tier: readonly TierPolicy[],
): void {
  const [first] = outcomes;
  if (first === undefined || first.action === 'undecidable') return;
  // Whatever passes leaves it to what decided below.
  if (outcomes.every(({ action }) => action === 'Pass')) return;
  const own = tier.find(({ policy }) => policy === first.policy)!;
  const tied = outcomes.some((one) => {
    if (one.action === 'undecidable' || one.policy === first.policy) return false;
    return priorityOf(tier.find(({ policy }) => policy === one.policy)!) === priorityOf(own);
  });
  if (tied || own.mayNotApply) denial.insertBefore = 'nowhere';
  else if (outcomes.length > 1 || first.unknownReason !== undefined) denial.insertBefore = first.rule;
}
