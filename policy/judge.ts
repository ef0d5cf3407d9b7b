// What the declared policies say of one connection: first each side, then both together.
// Pure: the same arguments give the same verdict. Rules: docs/policy-semantics.md.
import { hasPorts } from '../model/protocol.ts';
import type { Crossing, Direction, Party, PolicyRef, SideVerdict, UnknownReason, Verdict } from '../model/verdict.ts';
import { nearMisses } from './near-misses.ts';
import type { PolicyOptions } from './options.ts';
import { type Match, type PodParty, peersMatch } from './peers.ts';
import { type PolicySet, selectionOf } from './policy-set.ts';
import { portsMatch } from './ports.ts';

/**
 * Judges initiator -> responder by `policies`, those in force when the connection began (the caller chooses them).
 * Replies are part of it (rule 4). Never throws on a broken policy: what it could change is `unknown` (rule 17).
 */
export function judge(crossing: Crossing, policies: PolicySet, options: PolicyOptions): Verdict {
  const { initiator, responder } = crossing;
  const sides: SideVerdict[] = [];
  if (initiator.kind === 'pod') sides.push(judgeSide('egress', initiator, responder, crossing, policies, options));
  if (responder.kind === 'pod') sides.push(judgeSide('ingress', responder, initiator, crossing, policies, options));
  const verdict = together(sides, options);
  return hasPorts(crossing.protocol) ? { verdict, sides } : { verdict, sides, undefinedByApi: true };
}

const heaviestFirst = {
  any: ['denied', 'unknown', 'allowed'],
  every: ['denied', 'unknown', 'undeclared', 'allowed'],
} as const;

/** A certain denial outweighs a doubt on the other side; a doubt outweighs an allowance. No side: undeclared. */
export function together(
  sides: readonly SideVerdict[],
  options: Pick<PolicyOptions, 'declaredBy'>,
): Verdict['verdict'] {
  for (const verdict of heaviestFirst[options.declaredBy]) {
    for (const side of sides) if (side.verdict === verdict) return verdict;
  }
  return 'undeclared';
}

/** Several verdicts of what may be one connection (rule 14): the first where all are the same, else the doubt. */
export function agreed(verdicts: readonly Verdict[], why: UnknownReason): Verdict {
  const first = verdicts[0];
  if (first !== undefined && verdicts.every((one) => one.verdict === first.verdict)) return first;
  return { verdict: 'unknown', sides: [], why };
}

function judgeSide(
  side: Direction,
  own: PodParty,
  other: Party,
  crossing: Crossing,
  policies: PolicySet,
  options: PolicyOptions,
): SideVerdict {
  const always = alwaysAllowed(own, other);
  if (always !== undefined) return { side, verdict: 'allowed', decidedBy: { tier: 'always', reason: always } };

  const { isolating, broken } = selectionOf(policies, own, side);
  if (isolating.length === 0 && broken.length === 0) return { side, verdict: 'undeclared' };

  let unsure: PolicyRef[] | undefined;
  for (const { policy, rules } of isolating) {
    let maybe = false;
    for (let rule = 0; rule < rules.length; rule++) {
      const { peers, ports } = rules[rule]!;
      if (portsMatch(ports, crossing) !== 'yes') continue;
      const match: Match = peersMatch(peers, own, other, options);
      if (match === 'yes') {
        return { side, verdict: 'allowed', decidedBy: { tier: 'NetworkPolicy', policy, rule } };
      }
      maybe ||= match === 'maybe';
    }
    if (maybe) unsure = [...(unsure ?? []), policy];
  }
  // A broken policy can take no allowance away, but it may isolate the side, or hold the rule that allows.
  if (broken.length > 0) return { side, verdict: 'unknown', why: { reason: 'broken-policy', policies: broken } };
  if (unsure !== undefined) return { side, verdict: 'unknown', why: { reason: 'address-not-known', policies: unsure } };
  const unplaced = possibleOwnNode(own, other);
  if (unplaced !== undefined) {
    const party = `${unplaced.namespace}/${unplaced.name}`;
    return { side, verdict: 'unknown', why: { reason: 'node-not-known', party } };
  }
  return {
    side,
    verdict: 'denied',
    isolatedBy: isolating.map((one) => one.policy),
    nearest: nearMisses(isolating, own, other, crossing, options),
  };
}

/** Rule 12: a pod reaches itself, and the node that it runs on, in both directions. */
function alwaysAllowed(own: PodParty, other: Party): 'itself' | 'own-node' | undefined {
  switch (other.kind) {
    case 'pod':
      if (own.ofWorkload || other.ofWorkload) return undefined;
      return own.name === other.name && own.namespace === other.namespace ? 'itself' : undefined;
    case 'address':
      return other.node !== undefined && other.node !== '' && other.node === own.node ? 'own-node' : undefined;
    case 'some-node':
      return undefined;
  }
}

/** The end without a node, where the other end may be that very node. */
function possibleOwnNode(own: PodParty, other: Party): (Party & { namespace: string; name: string }) | undefined {
  if (other.kind === 'some-node') return other;
  return other.kind === 'address' && other.node !== undefined && own.node === '' ? own : undefined;
}
