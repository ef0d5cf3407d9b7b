// The difference between the real engine and the naive one for a case, and the case as text for debugging.
import { inspect } from 'node:util';
import { protocolName } from '../../../model/protocol.ts';
import type { Party, PolicyRef, RuleRef, SideVerdict, Verdict } from '../../../model/verdict.ts';
import { type Case, refOf } from './case.ts';
import type { NaiveSide, NaiveVerdict } from './oracle.ts';

/** Undefined if they agree. The real engine may give any of the valid reasons: several rules may allow, for example. */
export function difference(actual: Verdict, expected: NaiveVerdict): string | undefined {
  if (actual.sides.map(({ side }) => side).join() !== expected.sides.map(({ side }) => side).join())
    return 'other sides';
  for (const [index, side] of actual.sides.entries()) {
    const naive = expected.sides[index]!;
    if (side.verdict !== naive.verdict)
      return `${side.side} is ${sideText(side)}, expected ${naive.verdict}${reasons(naive)}`;
    if (!isReasonOf(side, naive)) return `${side.side} is ${sideText(side)}, expected other reasons${reasons(naive)}`;
  }
  if (actual.verdict !== expected.verdict) return `together ${actual.verdict}, expected ${expected.verdict}`;
  if ((actual.undefinedByApi ?? false) !== expected.undefinedByApi) return 'undefinedByApi';
  return undefined;
}

function isReasonOf(side: SideVerdict, naive: NaiveSide): boolean {
  if (side.verdict !== 'unknown') return naive.deciders.has(deciderOf(side));
  const policies = 'policies' in side.why ? side.why.policies.map(policyText) : [''];
  const known = naive.unknownReasons.get(side.why.reason);
  const least = side.why.reason === 'ambiguous-priority' ? 2 : 1;
  return known !== undefined && policies.length >= least && policies.every((one) => known.has(one));
}

function deciderOf(side: SideVerdict & { verdict: 'allowed' | 'undeclared' | 'denied' }): string {
  if (side.verdict === 'undeclared') return 'nothing';
  if ('isolatedBy' in side) return `isolated by ${side.isolatedBy.map(policyText).sort().join(', ')}`;
  return ruleText(side.decidedBy);
}

function ruleText(rule: RuleRef): string {
  return rule.tier === 'always' ? `always ${rule.reason}` : `${rule.tier} ${policyText(rule.policy)} rule ${rule.rule}`;
}

function policyText({ kind, namespace, name }: PolicyRef): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

function sideText(side: SideVerdict): string {
  if (side.verdict === 'unknown') return `unknown (${inspect(side.why, { breakLength: Number.POSITIVE_INFINITY })})`;
  return `${side.verdict} (${deciderOf(side)})`;
}

function reasons({ deciders, unknownReasons }: NaiveSide): string {
  const reasonTexts = [...unknownReasons].map(([reason, policies]) => `${reason}: ${[...policies].join(', ')}`);
  return ` (${[...deciders, ...reasonTexts].join('; ')})`;
}

export function caseText({ initiator, responder, protocol, port, policies, options }: Case): string {
  const plain = (value: unknown) => inspect(value, { depth: null, breakLength: 110, compact: 8 });
  return [
    `${partyText(initiator)} -> ${partyText(responder)} ${protocolName(protocol)} ${port ?? ''}`,
    ...[initiator, responder].map(plain),
    ...policies.map((policy) => `${refOf(policy)}: ${plain(policy)}`),
    plain(options),
  ].join('\n');
}

function partyText(party: Party): string {
  return party.kind === 'address' ? party.address : `${party.namespace}/${party.name}`;
}
