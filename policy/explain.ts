// A verdict in words and as scripts read it (docs/json.md): each side with what decided it, or what would have had to
// match.

import type {
  Direction,
  NearMiss,
  PolicyRef,
  RuleRef,
  SideJson,
  SideVerdict,
  UnknownReason,
  Verdict,
} from '../model/verdict.ts';
import { listed } from './listed.ts';
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
    sides: verdict.sides.map(sideJson),
  };
}

function sideJson(side: SideVerdict): SideJson {
  const told = { side: side.side, verdict: side.verdict, why: sideText(side) };
  const needs = side.verdict === 'denied' ? needsText(side) : undefined;
  return {
    ...told,
    ...('isolatedBy' in side && { isolatedBy: side.isolatedBy.map(policyText) }),
    ...('decidedBy' in side && { decidedBy: decidedByJson(side.decidedBy) }),
    ...(needs !== undefined && { needs }),
  };
}

function decidedByJson(by: RuleRef): NonNullable<SideJson['decidedBy']> {
  if (by.tier === 'always') return { tier: 'always', reason: by.reason };
  return { tier: by.tier, policy: policyText(by.policy), rule: by.rule };
}

/** What would have to be declared, where a rule could. */
function needsText(side: DeniedSide): string | undefined {
  const needed = neededRule(side);
  if (needed === undefined) return undefined;
  const { policy, before, words } = needed;
  const place = before === undefined ? policyText(policy) : `${policyText(policy)} before spec.${side.side}[${before}]`;
  return `needs a rule in ${place} that ${words}`;
}

function sideText(side: SideVerdict): string {
  switch (side.verdict) {
    case 'undeclared':
      return 'not isolated: no policy selects it';
    case 'unknown':
      return reasonText(side.why);
    case 'denied':
      if (!('isolatedBy' in side)) return `denied by ${ruleText(side)}`;
      return `isolated, and no rule matches: ${listed(
        side.nearest.map((miss) => missText(miss, side.side)),
        '; ',
        toldMost,
      )}`;
    case 'allowed':
      return side.decidedBy.tier === 'always' ? alwaysTexts[side.decidedBy.reason] : `allowed by ${ruleText(side)}`;
  }
}

function ruleText({ side, decidedBy, notUnderstood }: Direct): string {
  if (decidedBy.tier === 'always') return alwaysTexts[decidedBy.reason];
  const place = `${policyText(decidedBy.policy)}, spec.${side}[${decidedBy.rule}]`;
  return notUnderstood === undefined
    ? place
    : `${place}: ${notUnderstood} is of a form not known here, so it denies all`;
}

type Direct = { side: Direction; decidedBy: RuleRef; notUnderstood?: string };

const alwaysTexts = {
  itself: 'a pod may always reach itself',
  'own-node': 'a node and the pods that run on it may always reach each other',
};

function missText({ policy, rule, missed, expected }: NearMiss, side: string): string {
  if (missed === 'no-rules') return `${policyText(policy)} has no ${side} rule, so it allows nothing`;
  const place = `${policyText(policy)} spec.${side}[${rule}]`;
  if (missed === 'peer')
    return `${place} needs ${side === 'ingress' ? 'the initiator' : 'the responder'} to be ${expected}`;
  return `${place} fits but for the ${missed}: it needs ${expected}`;
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
  return listed(policies.map(policyText), ' and ', toldMost);
}

const toldMost = 5;
