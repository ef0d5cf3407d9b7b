// What the NetworkPolicies say of a side (rules 1 to 17); undefined where none of them isolates it.
import type { AcceptBefore, Crossing, Direction, NearMiss, Party, PolicyRef, SideVerdict } from '../model/verdict.ts';
import { doubtOf } from './doubt.ts';
import { nearMisses } from './near-misses.ts';
import type { PolicyOptions } from './options.ts';
import { unlessOwnNode } from './own-node.ts';
import { type Match, type PodParty, peersMatch } from './peers.ts';
import type { Selection } from './policy-set.ts';
import { entryHolds, entryWords, isNamed } from './port-index.ts';

export function judgeNetworkPolicies(
  side: Direction,
  selection: Selection,
  own: PodParty,
  other: Party,
  crossing: Crossing,
  options: PolicyOptions,
): SideVerdict | undefined {
  const { isolating, broken, index } = selection;
  if (isolating.length === 0 && broken.length === 0) return undefined;
  const { entries, rules } = index;
  let doubt: Exclude<Match, 'yes' | 'no'> | undefined;
  let unsure: PolicyRef[] | undefined;
  let seen = -1;
  const named = isNamed(crossing);
  for (let word = 0; word < entries.length; word += entryWords) {
    const place = entries[word + 3]!;
    if (place === seen || !entryHolds(index, word, crossing, named)) continue;
    seen = place;
    const { policy, rule, of } = rules[place]!;
    const match = peersMatch(of.peers, own, other, options);
    if (match === 'yes') return { side, verdict: 'allowed', decidedBy: { tier: 'NetworkPolicy', policy, rule } };
    if (match === 'no') continue;
    doubt ??= match;
    if (match === doubt && unsure?.at(-1) !== policy) unsure = [...(unsure ?? []), policy];
  }
  // A broken policy can take no allowance away, but it may isolate the side, or hold the rule that allows.
  if (broken.length > 0) return { side, verdict: 'unknown', why: { reason: 'broken-policy', policies: broken } };
  if (doubt !== undefined) return { side, verdict: 'unknown', why: doubtOf(doubt, other, unsure!) };
  return unlessOwnNode(new Denial(selection, own, crossing, side, options), own, other);
}

/** What the nearest rules were is worked out when it is told: few denials are. */
class Denial {
  readonly side: Direction;
  readonly verdict = 'denied';
  readonly isolatedBy: readonly PolicyRef[];
  readonly #selection: Selection;
  readonly #own: PodParty;
  readonly crossing: Crossing;
  acceptBefore?: AcceptBefore;
  readonly #options: PolicyOptions;

  constructor(selection: Selection, own: PodParty, crossing: Crossing, side: Direction, options: PolicyOptions) {
    this.side = side;
    this.isolatedBy = selection.isolatedBy;
    this.#selection = selection;
    this.#own = own;
    this.crossing = crossing;
    this.#options = options;
  }

  get nearest(): NearMiss[] {
    const { initiator, responder } = this.crossing;
    const other = this.side === 'egress' ? responder : initiator;
    return nearMisses(this.#selection.isolating, this.#own, other, this.crossing, this.#options);
  }
}
