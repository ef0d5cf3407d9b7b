// Evaluates one tier of cluster policies for a side (rules 19 to 26): the first rule that matches, by priority and then by
// the order in the policy. If it is not known whether a rule matches, both outcomes are possible.
import type { ClusterAction, ClusterPolicy } from '../model/kubernetes.ts';
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
import { mayMatchUndefined, portsMatch } from './ports.ts';
import { unknownReasonOf } from './unknown-reason.ts';

/** A possible outcome of the tier. `unknownReason` is set if it is not certain that the rule matches. */
type TierOutcome =
  | { action: ClusterAction; policy: PolicyRef; rule: RuleRef; notUnderstood?: string; unknownReason?: UnknownReason }
  | { action: 'undecidable'; unknownReason: UnknownReason };

export type SideContext = { side: Direction; own: PodParty; other: Party; flow: Flow };

/** `judgeLowerTiers` is called if no rule decides, and for Pass. */
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

/** The Pass rules that match, up to the first certain match. For a tier that does not decide. */
export function passMatchesOf(tier: readonly TierPolicy[], context: SideContext): PassMatch[] {
  const outcomes: TierOutcome[] = [];
  for (const one of tier) if (!judgePolicy(one, context, outcomes)) break;
  return outcomes.flatMap((one) =>
    one.action === 'Pass' ? { rule: one.rule, sure: one.unknownReason === undefined } : [],
  );
}

/** Evaluates policies of the same priority. Adds their outcomes; returns whether the next priority may decide. */
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
  // A certain conflict makes all other outcomes irrelevant.
  if (conflict.sure) outcomes.length = firstIndex;
  outcomes.push(conflict.outcome);
  return fallsThrough;
}

/** Rule 19: two policies of the same priority with different actions. A broken policy may have any action (rule 17). */
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

/** Adds the outcomes of the policy; returns whether it may not decide: it may not select the pod, or no rule may match. */
function judgePolicy(
  { object, policy, rules, mayNotApply }: TierPolicy,
  context: SideContext,
  outcomes: TierOutcome[],
): boolean {
  if (object.broken !== undefined) {
    outcomes.push({ action: 'undecidable', unknownReason: brokenReason(object, policy) });
    return mayNotApply !== undefined;
  }
  const { own, other, flow } = context;
  const subjectUnknown = mayNotApply && unknownReasonOf(mayNotApply, own, [policy]);
  for (let i = 0; i < rules.length; i++) {
    const { action, peers, ports, undefinedPorts, notUnderstood } = rules[i]!;
    if (notUnderstood !== undefined) {
      // Rule 26: an Accept rule with an unknown form matches nothing; any other such rule denies everything.
      if (action === 'Accept') continue;
      const rule: RuleRef = { tier: object.tier, policy, rule: i };
      outcomes.push({
        action: 'Deny',
        policy,
        rule,
        notUnderstood,
        ...(subjectUnknown && { unknownReason: subjectUnknown }),
      });
      return mayNotApply !== undefined;
    }
    const portsDefined = undefinedPorts === undefined || ports.length > 0;
    const portsUnknown = !(portsDefined && portsMatch(ports, flow) === 'yes');
    if (portsUnknown && !(undefinedPorts !== undefined && mayMatchUndefined(undefinedPorts, flow))) continue;
    const match = clusterPeersMatch(peers, own, other);
    if (match === 'no') continue;
    const rule: RuleRef = { tier: object.tier, policy, rule: i };
    if (match !== 'yes')
      outcomes.push({ action, policy, rule, unknownReason: unknownReasonOf(match, other, [policy]) });
    else if (portsUnknown)
      outcomes.push({ action, policy, rule, unknownReason: { reason: 'ports-not-defined', policies: [policy] } });
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

function brokenReason({ unread }: ClusterPolicy & { broken: object }, policy: PolicyRef): UnknownReason {
  return unread
    ? { reason: 'unread-documents', documents: [policy.name] }
    : { reason: 'broken-policy', policies: [policy] };
}

/** The common verdict of all possible outcomes; else `unknown` with the reason of the first that differs. */
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

/** Sets `insertBefore` if an allowing rule must come before another rule than the deciding one, or cannot exist. */
function addInsertBefore(
  denial: SideVerdict & { verdict: 'denied' },
  outcomes: readonly TierOutcome[],
  tier: readonly TierPolicy[],
): void {
  const [first] = outcomes;
  if (first === undefined || first.action === 'undecidable') return;
  // Pass rules do not decide: the lower tier did.
  if (outcomes.every(({ action }) => action === 'Pass')) return;
  const own = tier.find(({ policy }) => policy === first.policy)!;
  const tied = outcomes.some((one) => {
    if (one.action === 'undecidable' || one.policy === first.policy) return false;
    return priorityOf(tier.find(({ policy }) => policy === one.policy)!) === priorityOf(own);
  });
  if (tied || own.mayNotApply) denial.insertBefore = 'nowhere';
  else if (outcomes.length > 1 || first.unknownReason !== undefined) denial.insertBefore = first.rule;
}
