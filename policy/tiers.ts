// What one tier of cluster policies says of a side (rules 19 to 26): by priority, then by the order of a policy's rules,
// the first rule that matches. Where it is not known whether a rule matches, both answers stand.
import type { ClusterAction } from '../model/kubernetes.ts';
import type {
  Crossing,
  Direction,
  Party,
  Passed,
  PolicyRef,
  RuleRef,
  SideVerdict,
  UnknownReason,
} from '../model/verdict.ts';
import { clusterPeersMatch } from './cluster-peers.ts';
import type { Tiered } from './compile.ts';
import { doubtOf } from './doubt.ts';
import type { PodParty } from './peers.ts';
import { priorityOf } from './policy-set.ts';
import { portsMatch } from './ports.ts';

/** One way in which the tier may end; `doubt` is what would have to be known to tell whether it does. */
type Ending =
  | { action: ClusterAction; policy: PolicyRef; rule: RuleRef; notUnderstood?: string; doubt?: UnknownReason }
  | { action: 'undecidable'; doubt: UnknownReason };

export type Asked = { side: Direction; own: PodParty; other: Party; crossing: Crossing };

/** `below` is what comes after the tier: it is asked where no rule decides, and for Pass. */
export function judgeTier(tier: readonly Tiered[], asked: Asked, below: () => SideVerdict): SideVerdict {
  if (tier.length === 0) return below();
  const endings: Ending[] = [];
  let falls = true;
  for (let from = 0; from < tier.length && falls; ) {
    let to = from + 1;
    while (to < tier.length && priorityOf(tier[to]!) === priorityOf(tier[from]!)) to += 1;
    falls = judgeRank(tier, from, to, asked, endings);
    from = to;
  }
  return settled(endings, falls, tier, asked, below);
}

/** Which rules pass it on, until one surely does; of a tier that does not decide. */
export function passesOf(tier: readonly Tiered[], asked: Asked): Passed[] {
  const endings: Ending[] = [];
  for (const one of tier) if (!judgePolicy(one, asked, endings)) break;
  return endings.flatMap((one) => (one.action === 'Pass' ? { rule: one.rule, sure: one.doubt === undefined } : []));
}

/** Policies of one priority. Adds how they may end; says whether they may leave it to the next. */
function judgeRank(tier: readonly Tiered[], from: number, to: number, asked: Asked, endings: Ending[]): boolean {
  const begun = endings.length;
  let falls = true;
  for (let i = from; i < to; i++) if (!judgePolicy(tier[i]!, asked, endings)) falls = false;
  if (to - from === 1) return falls;
  const conflict = conflictOf(endings, begun);
  if (conflict === undefined) return falls;
  // Whatever the answer to a doubt, it cannot be decided.
  if (conflict.sure) endings.length = begun;
  endings.push(conflict.ending);
  return falls;
}

/** Rule 19: two policies of one priority that would decide differently; a broken one may decide in any way (rule 17). */
function conflictOf(endings: readonly Ending[], begun: number): { ending: Ending; sure: boolean } | undefined {
  let found: { ending: Ending; sure: boolean } | undefined;
  for (let j = begun; j < endings.length; j++) {
    const other = endings[j]!;
    if (other.action === 'undecidable') return { ending: other, sure: true };
    for (let i = begun; i < j; i++) {
      const one = endings[i]!;
      if (one.action === 'undecidable' || one.action === other.action || one.policy === other.policy) continue;
      const sure = one.doubt === undefined && other.doubt === undefined;
      if (found !== undefined && !sure) continue;
      const doubt: UnknownReason = { reason: 'ambiguous-priority', policies: [one.policy, other.policy] };
      found = { ending: { action: 'undecidable', doubt }, sure };
      if (sure) break;
    }
  }
  return found;
}

/** Adds how the policy may end; says whether it may leave it to the next: it may not touch the pod, or no rule match. */
function judgePolicy({ of, policy, rules, mayNotTouch }: Tiered, asked: Asked, endings: Ending[]): boolean {
  if (of.broken !== undefined) {
    endings.push({ action: 'undecidable', doubt: { reason: 'broken-policy', policies: [policy] } });
    return mayNotTouch === true;
  }
  const { own, other, crossing } = asked;
  const ofSubject = mayNotTouch && doubtOf('maybe-labelled', own, [policy]);
  for (let i = 0; i < rules.length; i++) {
    const { action, peers, ports, notUnderstood } = rules[i]!;
    if (notUnderstood !== undefined) {
      // Rule 26: what nobody understands allows nothing, and anything else denies.
      if (action === 'Accept') continue;
      const rule: RuleRef = { tier: of.tier, policy, rule: i };
      endings.push({ action: 'Deny', policy, rule, notUnderstood, ...(ofSubject && { doubt: ofSubject }) });
      return mayNotTouch === true;
    }
    if (portsMatch(ports, crossing) !== 'yes') continue;
    const match = clusterPeersMatch(peers, own, other);
    if (match === 'no') continue;
    const rule: RuleRef = { tier: of.tier, policy, rule: i };
    if (match !== 'yes') endings.push({ action, policy, rule, doubt: doubtOf(match, other, [policy]) });
    else if (ofSubject) {
      endings.push({ action, policy, rule, doubt: ofSubject });
      return true;
    } else {
      endings.push({ action, policy, rule });
      return false;
    }
  }
  return true;
}

/** The verdict in which all endings agree, whatever the answer to the doubts; else unknown, with the first of them. */
function settled(
  endings: readonly Ending[],
  falls: boolean,
  tier: readonly Tiered[],
  { side, crossing }: Asked,
  below: () => SideVerdict,
): SideVerdict {
  const last = endings.at(-1);
  if (last === undefined) return below();
  let lower: SideVerdict | undefined;
  const fallen = () => {
    lower ??= below();
    return lower;
  };
  const verdictOf = (ending: Ending): SideVerdict => {
    switch (ending.action) {
      case 'Accept':
        return { side, verdict: 'allowed', decidedBy: ending.rule };
      case 'Deny':
        return {
          side,
          verdict: 'denied',
          crossing,
          decidedBy: ending.rule,
          ...(ending.notUnderstood !== undefined && { notUnderstood: ending.notUnderstood }),
        };
      case 'Pass':
        return fallen();
      case 'undecidable':
        return { side, verdict: 'unknown', why: ending.doubt };
    }
  };
  const certain = falls ? fallen() : verdictOf(endings.find((one) => one.doubt === undefined) ?? last);
  if (certain.verdict === 'unknown') return certain;
  for (const ending of endings) {
    if (ending.doubt === undefined || verdictOf(ending).verdict === certain.verdict) continue;
    return { side, verdict: 'unknown', why: ending.doubt };
  }
  if (certain.verdict === 'denied') addAcceptBefore(certain, endings, tier);
  return certain;
}

/** Nothing where a rule before the one that decided would do. */
function addAcceptBefore(
  denial: SideVerdict & { verdict: 'denied' },
  endings: readonly Ending[],
  tier: readonly Tiered[],
): void {
  const [first] = endings;
  if (first === undefined || first.action === 'undecidable') return;
  // Whatever passes leaves it to what decided below.
  if (endings.every(({ action }) => action === 'Pass')) return;
  const own = tier.find(({ policy }) => policy === first.policy)!;
  const tied = endings.some((one) => {
    if (one.action === 'undecidable' || one.policy === first.policy) return false;
    return priorityOf(tier.find(({ policy }) => policy === one.policy)!) === priorityOf(own);
  });
  if (tied || own.mayNotTouch) denial.acceptBefore = 'nowhere';
  else if (endings.length > 1 || first.doubt !== undefined) denial.acceptBefore = first.rule;
}
