// Evaluates the NetworkPolicies of a side (rules 1 to 17); undefined if none of them isolates it.
import type { Direction, Flow, InsertBefore, NearMiss, Party, PolicyRef, SideVerdict } from '../model/verdict.ts';
import { nearMisses } from './near-misses.ts';
import type { PolicyOptions } from './options.ts';
import { unknownIfMaybeOwnNode } from './own-node.ts';
import { type Match, type PodParty, peersMatch } from './peers.ts';
import type { Selection } from './policy-set.ts';
import { entryMatches, entryWords, hasPortName } from './port-index.ts';
import { unknownReasonOf } from './unknown-reason.ts';

export function judgeNetworkPolicies(
  side: Direction,
  selection: Selection,
  own: PodParty,
  other: Party,
  flow: Flow,
  options: PolicyOptions,
): SideVerdict | undefined {
  const { isolating, broken, index } = selection;
  if (isolating.length === 0 && broken.length === 0) return undefined;
  const { entries, rules } = index;
  let uncertainMatch: Exclude<Match, 'yes' | 'no'> | undefined;
  let uncertainPolicies: PolicyRef[] | undefined;
  let lastRule = -1;
  const hasName = hasPortName(flow);
  for (let offset = 0; offset < entries.length; offset += entryWords) {
    const ruleIndex = entries[offset + 3]!;
    if (ruleIndex === lastRule || !entryMatches(index, offset, flow, hasName)) continue;
    lastRule = ruleIndex;
    const { policy, rule, policyRule } = rules[ruleIndex]!;
    const match = peersMatch(policyRule.peers, own, other, options);
    if (match === 'yes') return { side, verdict: 'allowed', decidedBy: { tier: 'NetworkPolicy', policy, rule } };
    if (match === 'no') continue;
    uncertainMatch ??= match;
    if (match === uncertainMatch && uncertainPolicies?.at(-1) !== policy)
      uncertainPolicies = [...(uncertainPolicies ?? []), policy];
  }
  // A broken policy cannot deny what another policy allows, but it may isolate the side or have a rule that allows.
  if (broken.length > 0) return { side, verdict: 'unknown', why: { reason: 'broken-policy', policies: broken } };
  if (uncertainMatch !== undefined)
    return { side, verdict: 'unknown', why: unknownReasonOf(uncertainMatch, other, uncertainPolicies!) };
  return unknownIfMaybeOwnNode(new Denial(selection, own, flow, side, options), own, other);
}

/** Computes the near misses on first use, because few denials are shown. */
class Denial {
  readonly side: Direction;
  readonly verdict = 'denied';
  readonly isolatedBy: readonly PolicyRef[];
  readonly #selection: Selection;
  readonly #own: PodParty;
  readonly flow: Flow;
  insertBefore?: InsertBefore;
  readonly #options: PolicyOptions;

  constructor(selection: Selection, own: PodParty, flow: Flow, side: Direction, options: PolicyOptions) {
    this.side = side;
    this.isolatedBy = selection.isolatedBy;
    this.#selection = selection;
    this.#own = own;
    this.flow = flow;
    this.#options = options;
  }

  get nearest(): NearMiss[] {
    const { initiator, responder } = this.flow;
    const other = this.side === 'egress' ? responder : initiator;
    return nearMisses(this.#selection.isolating, this.#own, other, this.flow, this.#options);
  }
}
