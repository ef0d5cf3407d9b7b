// What the declared policies say of one connection: first each side, then both together.
// Pure: the same arguments give the same verdict. Rules: docs/policy-semantics.md.
import type { NetworkPolicy, PolicyRule } from '../model/kubernetes.ts';
import { hasPorts } from '../model/protocol.ts';
import type {
  Crossing,
  Direction,
  NearMiss,
  Party,
  PolicyRef,
  SideVerdict,
  Verdict,
  VerdictName,
} from '../model/verdict.ts';
import type { PolicyOptions } from './options.ts';
import { type Match, peersMatch, peersText } from './peers.ts';
import type { PolicySet } from './policy-set.ts';
import { type PortMatch, portsMatch, portsText } from './ports.ts';
import { selects } from './selectors.ts';

type PodParty = Party & { kind: 'pod' };
type SoundPolicy = NetworkPolicy & { broken?: undefined };

/**
 * Judges initiator -> responder by `policies`, those in force when the connection began (the caller chooses them).
 * Replies are part of it (rule 4). Never throws on a broken policy: what it could change is `unknown` (rule 17).
 */
export function judge(crossing: Crossing, policies: PolicySet, options: PolicyOptions): Verdict {
  const sides: SideVerdict[] = [];
  const { initiator, responder } = crossing;
  if (initiator.kind === 'pod') sides.push(judgeSide('egress', initiator, responder, crossing, policies, options));
  if (responder.kind === 'pod') sides.push(judgeSide('ingress', responder, initiator, crossing, policies, options));
  const verdict = together(sides, options);
  return hasPorts(crossing.protocol) ? { verdict, sides } : { verdict, sides, undefinedByApi: true };
}

/** A certain denial outweighs a doubt on the other side; a doubt outweighs an allowance. */
export function together(sides: readonly SideVerdict[], options: PolicyOptions): VerdictName {
  const has = (verdict: VerdictName) => sides.some((side) => side.verdict === verdict);
  if (has('denied')) return 'denied';
  if (has('unknown')) return 'unknown';
  if (options.declaredBy === 'every' && has('undeclared')) return 'undeclared';
  return has('allowed') ? 'allowed' : 'undeclared';
}

function judgeSide(
  side: Direction,
  subject: PodParty,
  peer: Party,
  crossing: Crossing,
  policies: PolicySet,
  options: PolicyOptions,
): SideVerdict {
  const always = alwaysAllowed(subject, peer);
  if (always !== undefined) return { side, verdict: 'allowed', decidedBy: { tier: 'always', reason: always } };
  const isolating: SoundPolicy[] = [];
  const broken: PolicyRef[] = [];
  const unsure: PolicyRef[] = [];
  for (const policy of policies.byNamespace.get(subject.namespace) ?? []) {
    if (policy.broken !== undefined) {
      if (couldIsolate(policy, side, subject)) broken.push(refOf(policy));
      continue;
    }
    const rules = policy[side];
    if (rules === undefined || !selects(policy.podSelector, subject.labels)) continue;
    isolating.push(policy);
    for (let rule = 0; rule < rules.length; rule++) {
      const match = ruleMatches(rules[rule]!, peer, crossing, policy.namespace, options);
      if (match === 'yes') {
        return { side, verdict: 'allowed', decidedBy: { tier: 'NetworkPolicy', policy: refOf(policy), rule } };
      }
      if (match === 'maybe') unsure.push(refOf(policy));
    }
  }
  // Policies add up (rule 3): only where no sound rule matched does a doubtful one matter.
  if (broken.length > 0) return { side, verdict: 'unknown', why: { reason: 'broken-policy', policies: broken } };
  if (unsure.length > 0) return { side, verdict: 'unknown', why: { reason: 'address-not-known', policies: unsure } };
  if (isolating.length === 0) return { side, verdict: 'undeclared' };
  return {
    side,
    verdict: 'denied',
    isolatedBy: isolating.map(refOf),
    nearest: isolating.map((policy) => nearestMiss(policy, side, peer, crossing, options)),
  };
}

/** Rule 12: a pod and itself, a node and its own pods. */
function alwaysAllowed(subject: PodParty, peer: Party): 'itself' | 'own-node' | undefined {
  if (peer.kind === 'pod') {
    return peer.name === subject.name && peer.namespace === subject.namespace ? 'itself' : undefined;
  }
  return peer.node !== undefined && peer.node !== '' && peer.node === subject.node ? 'own-node' : undefined;
}

function couldIsolate(policy: NetworkPolicy & { broken: object }, side: Direction, subject: PodParty): boolean {
  if (!policy.directions.includes(side)) return false;
  return policy.podSelector === undefined || selects(policy.podSelector, subject.labels);
}

function ruleMatches(
  rule: PolicyRule,
  peer: Party,
  crossing: Crossing,
  namespace: string,
  options: PolicyOptions,
): Match {
  if (portsMatch(rule.ports, crossing) !== 'yes') return 'no';
  return peersMatch(rule.peers, peer, namespace, options);
}

/** Of one policy the rule that came nearest: the right peer at a wrong port says more than the wrong peer. */
function nearestMiss(
  policy: SoundPolicy,
  side: Direction,
  peer: Party,
  crossing: Crossing,
  options: PolicyOptions,
): NearMiss {
  const ref = refOf(policy);
  let nearest: NearMiss = { policy: ref, rule: -1, missed: 'no-rules', expected: '' };
  let nearestRank = 0;
  for (const [index, rule] of (policy[side] ?? []).entries()) {
    const peerMissed = peersMatch(rule.peers, peer, policy.namespace, options) === 'no';
    const port = portsMatch(rule.ports, crossing);
    const rank = rankOf(peerMissed, port);
    if (rank <= nearestRank) continue;
    nearestRank = rank;
    nearest = peerMissed
      ? { policy: ref, rule: index, missed: 'peer', expected: peersText(rule.peers, policy.namespace) }
      : {
          policy: ref,
          rule: index,
          missed: port === 'no-such-protocol' ? 'protocol' : 'port',
          expected: portsText(rule.ports),
        };
  }
  return nearest;
}

function rankOf(peerMissed: boolean, port: PortMatch): number {
  if (!peerMissed) return port === 'no-such-port' ? 4 : 3;
  return port === 'yes' ? 2 : 1;
}

function refOf(policy: NetworkPolicy): PolicyRef {
  return { kind: 'NetworkPolicy', namespace: policy.namespace, name: policy.name };
}
