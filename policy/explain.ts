// A verdict in words and as scripts read it (docs/json.md): each side with what decided it, or what would have had to
// match.

import type {
  Alternative,
  Direction,
  NearMiss,
  Party,
  PolicyRef,
  RuleRef,
  SideJson,
  SideVerdict,
  UnknownReason,
  Verdict,
} from '../model/verdict.ts';
import { listText } from './list-text.ts';
import { type DeniedSide, neededRule } from './needed-rule.ts';

/**
 * `reason` says why it is unknown. `undefinedByApi`: the protocol is none that the NetworkPolicy API speaks of, so what
 * a CNI does with it is its own business (rule 11).
 */
export type VerdictJson = {
  verdict: Verdict['verdict'];
  reason?: string;
  undefinedByApi?: true;
  sides: readonly SideJson[];
};

export function verdictJson(verdict: Verdict): VerdictJson {
  const why = verdict.why ?? verdict.sides.find((side) => side.verdict === 'unknown')?.why;
  return {
    verdict: verdict.verdict,
    ...(verdict.verdict === 'unknown' && why !== undefined ? { reason: reasonText(why) } : {}),
    ...(verdict.undefinedByApi ? { undefinedByApi: true } : {}),
    sides: verdict.sides.map((side) => sideJson(side, alternativeSidesOf(side, verdict.alternatives ?? []))),
  };
}

function sideJson(side: SideVerdict, alternatives: readonly AlternativeSide[]): SideJson {
  const common = {
    side: side.side,
    verdict: side.verdict,
    why: alternativesText(side, alternatives) ?? sideText(side),
  };
  const denied =
    side.verdict === 'denied'
      ? [side, ...alternatives.flatMap((alternative) => alternative.side ?? [])].filter(isDenied)
      : [];
  const isolatedBy = denied.flatMap((one) => ('isolatedBy' in one ? one.isolatedBy.map(policyText) : []));
  const needs = needsText(denied);
  return {
    ...common,
    ...(isolatedBy.length > 0 && { isolatedBy: [...new Set(isolatedBy)] }),
    ...('decidedBy' in side && { decidedBy: decidedByJson(side.decidedBy) }),
    ...(needs !== undefined && { needs }),
  };
}

function decidedByJson(by: RuleRef): NonNullable<SideJson['decidedBy']> {
  if (by.tier === 'always') return { tier: 'always', reason: by.reason };
  return { tier: by.tier, policy: policyText(by.policy), rule: by.rule };
}

function isDenied(side: SideVerdict): side is DeniedSide {
  return side.verdict === 'denied';
}

/** One way of several, and what its side comes to; undefined where that end is none that policies select. */
type AlternativeSide = { name: string; side: SideVerdict | undefined };

function alternativeSidesOf({ side: direction }: SideVerdict, alternatives: readonly Alternative[]): AlternativeSide[] {
  const initiators = new Set(alternatives.map(({ initiator }) => partyText(initiator)));
  const responders = new Set(alternatives.map(({ responder }) => partyText(responder)));
  return alternatives.map(({ initiator, responder, verdict }) => {
    const varying = [...(initiators.size > 1 ? [initiator] : []), ...(responders.size > 1 ? [responder] : [])];
    const names = varying.length > 0 ? varying : [direction === 'egress' ? initiator : responder];
    return { name: names.map(partyText).join(' -> '), side: verdict.sides.find(({ side }) => side === direction) };
  });
}

/** Undefined where all of them come to the same for the same reason. */
function alternativesText(side: SideVerdict, alternatives: readonly AlternativeSide[]): string | undefined {
  const verdictAndText = (alternative: AlternativeSide) =>
    [alternative.side?.verdict ?? 'undeclared', alternative.side ? sideText(alternative.side) : noPodText] as const;
  const byText = Map.groupBy(alternatives, (alternative) => `(${verdictAndText(alternative).join('): ')}`);
  const [only, another] = byText.keys();
  if (only === undefined || (another === undefined && verdictAndText(alternatives[0]!)[0] === side.verdict))
    return undefined;
  const texts = [...byText].map(([text, group]) => `${listText([...new Set(group.map(({ name }) => name))])} ${text}`);
  return listText([...texts, ...(another === undefined ? ['who else it may be is not known'] : [])], '; ', maxListed);
}

const noPodText = 'no pod that policies could select';

function partyText(party: Party): string {
  return party.kind === 'address' ? party.address : `${party.namespace}/${party.name}`;
}

/** What would have to be declared, where rules could. */
function needsText(denied: readonly DeniedSide[]): string | undefined {
  const texts = new Set<string>();
  for (const side of denied) {
    const needed = neededRule(side);
    if (needed === undefined) return undefined;
    const { policy, insertBefore, text } = needed;
    const place =
      insertBefore === undefined
        ? policyText(policy)
        : `${policyText(policy)} before spec.${side.side}[${insertBefore}]`;
    texts.add(`a rule in ${place} that ${text}`);
  }
  return texts.size === 0 ? undefined : `needs ${listText([...texts], ' and ', maxListed)}`;
}

function sideText(side: SideVerdict): string {
  switch (side.verdict) {
    case 'undeclared':
      return undeclaredText(side);
    case 'unknown':
      return reasonText(side.why);
    case 'denied':
      if (!('isolatedBy' in side)) return `denied by ${ruleText(side)}`;
      return `isolated, and no rule matches: ${listText(
        side.nearest.map((miss) => nearMissText(miss, side.side)),
        '; ',
        maxListed,
      )}`;
    case 'allowed':
      return side.decidedBy.tier === 'always' ? alwaysTexts[side.decidedBy.reason] : `allowed by ${ruleText(side)}`;
  }
}

function undeclaredText({ side, passMatches = [], unmatched = [] }: SideVerdict & { verdict: 'undeclared' }): string {
  if (passMatches.length > 0) {
    const texts = passMatches.map(({ rule, sure }) => `${placeText(side, rule)} ${sure ? 'passes' : 'may pass'}`);
    return `no rule decides: ${listText(texts, ' and ')}, and no NetworkPolicy or Baseline rule speaks of it`;
  }
  if (unmatched.length === 0) return 'not isolated: no policy selects it';
  return `not isolated: none of the ${side} rules of ${policiesText(unmatched)} matches`;
}

function placeText(side: Direction, rule: RuleRef): string {
  return rule.tier === 'always' ? alwaysTexts[rule.reason] : `${policyText(rule.policy)} spec.${side}[${rule.rule}]`;
}

function ruleText({ side, decidedBy, notUnderstood }: DecidedSide): string {
  if (decidedBy.tier === 'always') return alwaysTexts[decidedBy.reason];
  const place = `${policyText(decidedBy.policy)}, spec.${side}[${decidedBy.rule}]`;
  return notUnderstood === undefined
    ? place
    : `${place}: ${notUnderstood} is of a form not known here, so it denies all`;
}

type DecidedSide = { side: Direction; decidedBy: RuleRef; notUnderstood?: string };

const alwaysTexts = {
  itself: 'a pod may always reach itself',
  'own-node': 'a node and the pods that run on it may always reach each other',
};

function nearMissText({ policy, rule, mismatch, expected }: NearMiss, side: string): string {
  if (mismatch === 'no-rules') return `${policyText(policy)} has no ${side} rule, so it allows nothing`;
  const place = `${policyText(policy)} spec.${side}[${rule}]`;
  if (mismatch === 'peer')
    return `${place} needs ${side === 'ingress' ? 'the initiator' : 'the responder'} to be ${expected}`;
  return `${place} fits but for the ${mismatch}: it needs ${expected}`;
}

/** One clause without a full stop. Few different ones, so that connections can be counted by it: no addresses. */
export function reasonText(why: UnknownReason): string {
  switch (why.reason) {
    case 'broken-policy':
      return `a broken policy could change it: ${policiesText(why.policies)}`;
    case 'address-not-known':
      return `a rule could match by address, and the address is not known: ${policiesText(why.policies)}`;
    case 'names-not-known':
      return `a domain name could match, and no DNS answer for the address was seen: ${policiesText(why.policies)}`;
    case 'namespace-labels-not-known':
      return `the labels of namespace ${why.namespace} are not known, and a policy goes by them: ${policiesText(why.policies)}`;
    case 'node-labels-not-known':
      return `the labels of node ${why.node} are not known, and a policy goes by them: ${policiesText(why.policies)}`;
    case 'ambiguous-priority':
      return `ambiguous priority: ${policiesText(why.policies)} have the same and would decide differently`;
    case 'node-not-known':
      return `a pod and its own node may always reach each other, and the node of ${why.party} is not known`;
    case 'pods-differ':
      return `the pods of ${why.party} would get different verdicts`;
    case 'addresses-differ':
      return `${why.party} has several addresses, and policies treat them differently`;
    case 'backend-not-known':
      return `it is not known which endpoint of Service ${why.service} got it, and they differ or are not known`;
    case 'source-translated':
      return 'the source was translated, and policies may see either address';
    case 'no-owner-at-that-time':
      return 'no owner at that time';
    case 'local-scope':
      return 'not judged: multicast, broadcast, link-local or housekeeping of the network';
    case 'cluster-not-synced':
      return "the cluster's objects are not known yet";
  }
}

export function policyText(policy: PolicyRef): string {
  const { kind, namespace, name } = policy;
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

function policiesText(policies: readonly PolicyRef[]): string {
  return listText(policies.map(policyText), ' and ', maxListed);
}

const maxListed = 5;
