// A slow, literal implementation of the rules in docs/policy-semantics.md, without any code of policy/. It tries both
// answers for each fact that is not known: a verdict is certain if it is the same for all answers.
import type { Direction, VerdictName } from '../../../model/verdict.ts';
import { type Assume, addUnknownReason, type UnknownReasons, underEveryAssumption } from './assumptions.ts';
import { type Case, type RawClusterPolicy, type RawClusterRule, type RawNetworkPolicy, refOf } from './case.ts';
import {
  anyOf,
  clusterPeerMatches,
  labelsFit,
  type Match,
  type PodParty,
  peerMatches,
  podFits,
  portMatches,
} from './matches.ts';

/**
 * `deciders`: the valid explanations, such as `Admin ClusterNetworkPolicy c0 rule 1`, `always own-node`, or all isolating
 * policies: `isolated by NetworkPolicy a/p0, NetworkPolicy a/p1`. `unknownReasons`: the valid reasons of `unknown`.
 */
export type NaiveSide = {
  side: Direction;
  verdict: VerdictName;
  deciders: Set<string>;
  unknownReasons: UnknownReasons;
};
export type NaiveVerdict = { verdict: VerdictName; sides: NaiveSide[]; undefinedByApi: boolean };

export function oracle(question: Case): NaiveVerdict {
  const { initiator, responder, protocol } = question;
  const sides: NaiveSide[] = [];
  if (initiator.kind === 'pod') sides.push(sideOf('egress', initiator, question));
  if (responder.kind === 'pod') sides.push(sideOf('ingress', responder, question));
  // Rule 11: the API covers TCP (6), UDP (17) and SCTP (132).
  const undefinedByApi = ![6, 17, 132].includes(protocol);
  return { verdict: together(sides, question), sides, undefinedByApi };
}

function together(sides: NaiveSide[], { options }: Case): VerdictName {
  const weights: VerdictName[] =
    options.declaredBy === 'any'
      ? ['denied', 'unknown', 'allowed', 'undeclared']
      : ['denied', 'unknown', 'undeclared', 'allowed'];
  return weights.find((verdict) => sides.some((side) => side.verdict === verdict)) ?? 'undeclared';
}

/** The verdict of one side under one combination of assumptions. */
type Outcome = { verdict: VerdictName; deciders: string[] };

function sideOf(side: Direction, own: PodParty, question: Case): NaiveSide {
  const other = side === 'egress' ? question.responder : question.initiator;
  const isItself = other.kind === 'pod' && other.namespace === own.namespace && other.name === own.name;
  // A template represents all pods of its workload, so two templates of the same name are two pods.
  if (other.kind === 'pod' && isItself && !own.representsWorkload && !other.representsWorkload) {
    return { side, verdict: 'allowed', deciders: new Set(['always itself']), unknownReasons: new Map() };
  }
  const onNode = other.kind === 'address' && other.node !== undefined && other.node !== '' ? other.node : undefined;
  const isOwnNode = onNode !== undefined && onNode === own.node;
  const mayBeOwnNode = other.kind === 'some-node' || (onNode !== undefined && own.node === '');

  const unknownReasons: UnknownReasons = new Map();
  const outcomesFor = (ownNode: boolean) => {
    const assumed = underEveryAssumption((assume) =>
      outcomeOf({ side, own, other, ownNode, question, assume, unknownReasons }),
    );
    for (const [reason, policies] of assumed.unknownReasons)
      for (const one of policies) addUnknownReason(unknownReasons, reason, one);
    return assumed.results;
  };
  const outcomes = outcomesFor(isOwnNode);
  // Without a denial it does not matter whose node it is.
  if (mayBeOwnNode && outcomes.some(({ verdict }) => verdict === 'denied')) {
    addUnknownReason(unknownReasons, 'node-not-known', '');
    outcomes.push(...outcomesFor(true));
  }
  const verdicts = new Set(outcomes.map(({ verdict }) => verdict));
  const verdict = verdicts.size === 1 ? outcomes[0]!.verdict : 'unknown';
  return { side, verdict, deciders: new Set(outcomes.flatMap(({ deciders }) => deciders)), unknownReasons };
}

type SideContext = {
  side: Direction;
  own: PodParty;
  other: Case['initiator'];
  ownNode: boolean;
  question: Case;
  assume: Assume;
  unknownReasons: UnknownReasons;
};

/** Rules 12, 18 and 22, from the Admin tier to the default. */
function outcomeOf(context: SideContext): Outcome {
  const ownNode: Outcome = { verdict: 'allowed', deciders: ['always own-node'] };
  if (context.ownNode && context.side === 'ingress') return ownNode;
  const byAdmin = tierOutcome('Admin', context);
  if (byAdmin !== undefined) return byAdmin;
  const byNetworkPolicy = networkPolicyOutcome(context);
  if (byNetworkPolicy !== undefined) return context.ownNode ? ownNode : byNetworkPolicy;
  const byBaseline = tierOutcome('Baseline', context);
  if (byBaseline !== undefined) return byBaseline;
  return context.ownNode ? ownNode : { verdict: 'undeclared', deciders: ['nothing'] };
}

/** Rules 19 and 20, priority by priority; undefined if no rule decides, or a rule passes. */
function tierOutcome(tier: 'Admin' | 'Baseline', context: SideContext): Outcome | undefined {
  const touching = context.question.policies
    .filter((policy) => policy.kind !== 'NetworkPolicy')
    .filter((policy) => policy.tier === tier && touches(policy, context));
  const priorities = touching.map((policy) => policy.priority ?? -1).sort((a, b) => a - b);
  for (const priority of new Set(priorities)) {
    const level = touching.filter((policy) => (policy.priority ?? -1) === priority);
    const decisions = level
      .filter((policy) => !policy.broken)
      .map((policy) => decisionOf(policy, context))
      .filter((one) => one !== undefined);
    const broken = level.filter((policy) => policy.broken);
    for (const policy of broken) addUnknownReason(context.unknownReasons, 'broken-policy', refOf(policy));
    if (broken.length > 0) return { verdict: 'unknown', deciders: [] };
    const actions = new Set(decisions.map(({ action }) => action));
    if (actions.size > 1) {
      for (const { policy } of decisions) addUnknownReason(context.unknownReasons, 'ambiguous-priority', refOf(policy));
      return { verdict: 'unknown', deciders: [] };
    }
    const first = decisions.sort((a, b) => (orderOf(a.policy) < orderOf(b.policy) ? -1 : 1))[0];
    if (first === undefined) continue;
    if (first.action === 'Pass') return undefined;
    const decider = `${tier} ${refOf(first.policy)} rule ${first.rule}`;
    return { verdict: first.action === 'Accept' ? 'allowed' : 'denied', deciders: [decider] };
  }
  return undefined;
}

function orderOf(policy: RawClusterPolicy): string {
  return `${policy.kind} ${policy.name}`;
}

/** Rules 17, 21 and 23: whether it may select the pod and has a rule for that direction. */
function touches(policy: RawClusterPolicy, { side, own, assume }: SideContext): boolean {
  if (policy[side].length === 0) return false;
  const fits = policy.subject === undefined || podFits(policy.subject, own);
  return typeof fits === 'string' ? assume(fits, refOf(policy)) : fits;
}

type Decision = { policy: RawClusterPolicy; action: RawClusterRule['action']; rule: number };

/** The first rule that matches (rule 19). */
function decisionOf(policy: RawClusterPolicy, context: SideContext): Decision | undefined {
  for (const [index, rule] of policy[context.side].entries()) {
    const match = ruleMatches(rule, context);
    if (match === false) continue;
    if (match !== true && !context.assume(match, refOf(policy))) continue;
    // Rule 26: a rule with an unknown form fails closed.
    const action = rule.notUnderstood === undefined ? rule.action : 'Deny';
    return { policy, action, rule: index };
  }
  return undefined;
}

function ruleMatches(rule: RawClusterRule, { own, other, question }: SideContext): Match {
  if (rule.notUnderstood !== undefined) return rule.action !== 'Accept';
  if (rule.ports.length > 0 && !rule.ports.some((port) => portMatches(port, question))) return false;
  return anyOf(rule.peers.map((peer) => clusterPeerMatches(peer, own, other)));
}

/** Rules 1 to 3 and 17: an invalid policy may isolate the side and may allow the flow. Undefined: no policy isolates it. */
function networkPolicyOutcome(context: SideContext): Outcome | undefined {
  const { side, own, assume } = context;
  const isolating: RawNetworkPolicy[] = [];
  for (const policy of context.question.policies) {
    if (policy.kind !== 'NetworkPolicy' || policy.namespace !== own.namespace) continue;
    const selects = policy.fault === 'podSelector' || labelsFit(policy.spec.podSelector ?? {}, own.labels);
    const hasSide = policy.fault === 'policyTypes' || directionsOf(policy).includes(side);
    if (!selects || !hasSide) continue;
    if (policy.fault === undefined || assume('broken-policy', refOf(policy))) isolating.push(policy);
  }
  if (isolating.length === 0) return undefined;

  const matches = isolating.filter(({ fault }) => fault === undefined).flatMap((policy) => rulesOf(policy, context));
  const sure = matches.filter(({ match }) => match === true);
  if (sure.length > 0) return { verdict: 'allowed', deciders: sure.map(({ decider }) => decider) };
  for (const { policy, match, decider } of matches) {
    if (typeof match === 'string' && assume(match, refOf(policy))) return { verdict: 'allowed', deciders: [decider] };
  }
  for (const policy of isolating.filter(({ fault }) => fault !== undefined)) {
    if (assume('broken-policy', refOf(policy))) return { verdict: 'allowed', deciders: [] };
  }
  return { verdict: 'denied', deciders: [`isolated by ${isolating.map(refOf).sort().join(', ')}`] };
}

/** Rule 2. */
function directionsOf({ spec }: RawNetworkPolicy): Direction[] {
  const { policyTypes: types = [], egress = [] } = spec;
  if (types.length === 0) return egress.length > 0 ? ['ingress', 'egress'] : ['ingress'];
  const named: Direction[] = [];
  if (types.includes('Ingress')) named.push('ingress');
  if (types.includes('Egress')) named.push('egress');
  return named;
}

/** Rule 6, for each rule. */
function rulesOf(policy: RawNetworkPolicy, { side, own, other, question }: SideContext) {
  const rules =
    side === 'egress'
      ? (policy.spec.egress ?? []).map(({ to = [], ports = [] }) => ({ peers: to, ports }))
      : (policy.spec.ingress ?? []).map(({ from = [], ports = [] }) => ({ peers: from, ports }));
  return rules.map(({ peers, ports }, index) => {
    const portFits = ports.length === 0 || ports.some((port) => portMatches({ protocol: 'TCP', ...port }, question));
    const { namespace } = policy;
    const peerFits: Match =
      peers.length === 0 || anyOf(peers.map((peer) => peerMatches(peer, own, other, namespace, question.options)));
    return { policy, match: portFits && peerFits, decider: `NetworkPolicy ${refOf(policy)} rule ${index}` };
  });
}
