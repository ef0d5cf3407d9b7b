import t from 'tap';
import { violationOf } from '../../../collector/findings/violation.ts';
import type { Connection, Delivered } from '../../../model/connection.ts';
import type { EvaluatedConnection, VerdictTiming } from '../../../model/evaluated.ts';
import { ICMP, SCTP, TCP, UDP } from '../../../model/protocol.ts';
import type { PolicyRef, UnknownReason, Verdict } from '../../../model/verdict.ts';
import { connection } from '../../scene/connections.ts';
import { ip } from '../../scene/records.ts';

const yes: Delivered = { delivered: 'yes', by: 'seen' };
const no: Delivered = { delivered: 'no' };
const doubt: Delivered = { delivered: 'unknown', why: 'not-watched' };
const inForce: VerdictTiming = { timing: 'in-force' };

function violationText(
  change: Partial<Connection>,
  timing: VerdictTiming = inForce,
  verdict: Partial<Verdict> = {},
): string {
  const made = connection(change);
  const evaluated: EvaluatedConnection = {
    connection: made,
    verdict: { verdict: made.verdict, sides: [], ...verdict },
    timing,
    observations: [],
    masqueradeAddress: undefined,
  };
  const violation = violationOf(evaluated);
  return violation === undefined ? 'none' : `${violation.kind} ${violation.severity}`;
}

t.test('denied: a bypass if it was delivered, blocked if not', async (t) => {
  const denied = { verdict: 'denied' } as const;
  t.equal(violationText({ ...denied, outcome: 'established', delivered: yes }), 'bypass critical');
  t.equal(
    violationText({ ...denied, outcome: 'unanswered', delivered: yes }),
    'bypass critical',
    'delivered without an answer',
  );
  t.equal(violationText({ ...denied, outcome: 'refused', delivered: yes }), 'bypass critical');
  t.equal(violationText({ ...denied, outcome: 'refused', delivered: no }), 'blocked medium', 'an enforcer refused it');
  t.equal(violationText({ ...denied, outcome: 'unanswered', delivered: no }), 'blocked medium');
  t.equal(violationText({ ...denied, outcome: 'refused', delivered: doubt }), 'blocked medium');
  t.equal(violationText({ ...denied, outcome: 'unanswered', delivered: doubt }), 'blocked medium');
});

t.test('a bypass with an inferred initiator is never critical', async (t) => {
  const change = { verdict: 'denied', outcome: 'established', delivered: yes, initiatorInferred: true } as const;
  t.equal(violationText(change), 'bypass high');
});

t.test('undeclared: none if neither end is in the cluster, or if the responder is a loopback address', async (t) => {
  const out = { verdict: 'undeclared', placement: 'egress', outcome: 'established', delivered: yes } as const;
  const external = (address: string, zone = 'internet') => ({ kind: 'external' as const, ip: ip(address), zone });
  t.equal(violationText({ ...out, initiator: external('203.0.113.5'), responder: external('198.51.100.7') }), 'none');
  t.equal(violationText({ ...out, responder: external('198.51.100.7') }), 'undeclared high', 'a pod is the initiator');
  for (const loopback of ['127.0.0.1', '127.0.0.53', '127.255.255.254', '::1']) {
    t.equal(violationText({ ...out, responder: external(loopback, 'loopback') }), 'none', loopback);
  }
  t.equal(violationText({ ...out, responder: external('128.0.0.1') }), 'undeclared high', 'no loopback address');
  const denied = { ...out, verdict: 'denied', responder: external('127.0.0.1', 'loopback') } as const;
  t.equal(violationText(denied), 'bypass critical', 'what a policy denies is a finding');
});

t.test('undeclared: a finding only across nodes or out of the cluster, and only if it was delivered', async (t) => {
  const delivered = { verdict: 'undeclared', outcome: 'established', delivered: yes } as const;
  t.equal(violationText({ ...delivered, placement: 'cross-node' }), 'undeclared medium');
  t.equal(violationText({ ...delivered, placement: 'same-node' }), 'none');
  t.equal(violationText({ ...delivered, placement: 'host' }), 'none');
  t.equal(violationText({ ...delivered, placement: 'ingress' }), 'none');
  const out = { ...delivered, placement: 'egress' } as const;
  const outside = (zone: string) => ({ responder: { kind: 'external' as const, zone } });
  t.equal(violationText({ ...out, ...outside('internet') }), 'undeclared high');
  t.equal(violationText({ ...out, ...outside('on-premises') }), 'undeclared medium');
  const lost = { verdict: 'undeclared', placement: 'cross-node', outcome: 'unanswered' } as const;
  t.equal(violationText({ ...lost, delivered: no }), 'none');
  t.equal(violationText({ ...lost, delivered: yes }), 'undeclared medium', 'delivered without an answer');
});

t.test(
  'undeclared and refused with unknown delivery counts as delivered, because no policy could have refused it',
  async (t) => {
    const refused = { verdict: 'undeclared', placement: 'cross-node', outcome: 'refused' } as const;
    t.equal(violationText({ ...refused, delivered: doubt }), 'undeclared medium');
    t.equal(violationText({ ...refused, delivered: no }), 'none');
  },
);

t.test(
  'undeclared and unanswered with unknown delivery: only without a handshake, and only out of the cluster',
  async (t) => {
    const silent = { verdict: 'undeclared', outcome: 'unanswered', delivered: doubt } as const;
    const internet = { kind: 'external' as const, zone: 'internet' };
    t.equal(violationText({ ...silent, placement: 'egress', protocol: UDP, responder: internet }), 'undeclared high');
    t.equal(violationText({ ...silent, placement: 'egress', protocol: ICMP, responder: internet }), 'undeclared high');
    t.equal(violationText({ ...silent, placement: 'egress', protocol: TCP, responder: internet }), 'none');
    t.equal(violationText({ ...silent, placement: 'egress', protocol: SCTP, responder: internet }), 'none');
    t.equal(violationText({ ...silent, placement: 'cross-node', protocol: UDP }), 'none');
  },
);

t.test('allowed: broken if nothing arrived at a watched interface', async (t) => {
  const allowed = { verdict: 'allowed' } as const;
  t.equal(violationText({ ...allowed, outcome: 'established', delivered: yes }), 'none');
  t.equal(
    violationText({ ...allowed, outcome: 'unanswered', delivered: yes }),
    'none',
    'delivered, and the pod did not answer',
  );
  t.equal(violationText({ ...allowed, outcome: 'unanswered', delivered: no }), 'broken low');
  t.equal(violationText({ ...allowed, outcome: 'refused', delivered: no }), 'broken low');
  t.equal(violationText({ ...allowed, outcome: 'unanswered', delivered: no, protocol: UDP }), 'broken low');
  t.equal(violationText({ ...allowed, outcome: 'refused', delivered: doubt }), 'none');
});

t.test('allowed and unanswered with unknown delivery: broken only for TCP with a retransmitted SYN', async (t) => {
  const silent = { verdict: 'allowed', outcome: 'unanswered', delivered: doubt } as const;
  t.equal(violationText({ ...silent, synRetries: 2 }), 'broken low');
  t.equal(violationText({ ...silent, synRetries: 0 }), 'none');
  t.equal(
    violationText({ ...silent, protocol: UDP }),
    'none',
    'UDP without an answer needs an observation at the destination',
  );
});

t.test('an unknown verdict is never a finding', async (t) => {
  for (const delivered of [yes, no, doubt]) {
    for (const outcome of ['established', 'refused', 'unanswered'] as const) {
      t.equal(violationText({ verdict: 'unknown', outcome, delivered }), 'none');
    }
  }
});

t.test('within the grace after a change, a bypass does not count and a blocked connection does', async (t) => {
  const grace: VerdictTiming = { timing: 'grace' };
  t.equal(violationText({ verdict: 'denied', outcome: 'established', delivered: yes }, grace), 'none');
  t.equal(violationText({ verdict: 'denied', outcome: 'unanswered', delivered: no }, grace), 'blocked medium');
});

t.test('a connection that outlives the change that denies it is grandfathered', async (t) => {
  const grandfathered: VerdictTiming = { timing: 'grandfathered', deniedNow: { verdict: 'denied', sides: [] } };
  t.equal(
    violationText({ verdict: 'undeclared', outcome: 'established', delivered: yes }, grandfathered),
    'grandfathered low',
  );
});

const cilium: PolicyRef = { kind: 'CiliumNetworkPolicy.cilium.io', namespace: 'shop', name: 'db' };
const notEvaluated: UnknownReason = { reason: 'not-evaluated', policies: [cilium] };

function unknownText(change: Partial<Connection>, why: UnknownReason | undefined = notEvaluated): string {
  const unknown = { verdict: 'unknown', outcome: 'established', delivered: yes, placement: 'cross-node' } as const;
  return violationText({ ...unknown, ...change }, inForce, why && { why });
}

t.test('unknown: a finding only across nodes or out of the cluster, and only if it was delivered', async (t) => {
  const internet = { placement: 'egress', responder: { kind: 'external', zone: 'internet' } } as const;
  t.equal(unknownText({}), 'unevaluated low');
  t.equal(unknownText({ placement: 'same-node' }), 'none');
  t.equal(unknownText({ placement: 'host' }), 'none');
  t.equal(unknownText({ placement: 'ingress' }), 'none');
  t.equal(unknownText({ ...internet, initiator: { kind: 'unknown', ip: ip('10.0.1.9') } }), 'none');
  t.equal(unknownText(internet), 'unevaluated medium');
  t.equal(unknownText({ ...internet, responder: { kind: 'external', zone: 'vpc' } }), 'unevaluated low');
  t.equal(unknownText({ delivered: no, outcome: 'unanswered' }), 'none');
  t.equal(unknownText({ delivered: doubt, outcome: 'unanswered' }), 'none');
  t.equal(unknownText({ ...internet, delivered: doubt, outcome: 'unanswered', protocol: UDP }), 'unevaluated medium');
  t.equal(unknownText({ ...internet, delivered: doubt, outcome: 'unanswered', protocol: TCP }), 'none');
});

t.test('an unknown verdict that is evaluated again, or that would accuse another pod, is no finding', async (t) => {
  const stale = { kind: 'Pod', sinceUs: 1 } as const;
  t.equal(unknownText({}, { reason: 'cluster-not-synced' }), 'none');
  t.equal(unknownText({}, { reason: 'cluster-stale', kinds: [stale] }), 'none');
  t.equal(unknownText({}, { reason: 'cluster-stale', kinds: [{ ...stale, untilUs: 2 }] }), 'unevaluated low');
  t.equal(unknownText({}, { reason: 'sender-not-seen', address: ip('10.0.0.1') }), 'none');
  t.equal(unknownText({}, { reason: 'local-scope', address: ip('10.0.0.1') }), 'none');
});

t.test('allowed is not broken if a policy that acts after the network may have refused it', async (t) => {
  const refused = { verdict: 'allowed', outcome: 'unanswered', delivered: no } as const;
  const istio: PolicyRef = { kind: 'AuthorizationPolicy.security.istio.io', namespace: 'shop', name: 'db' };
  t.equal(violationText(refused), 'broken low');
  t.equal(violationText(refused, inForce, { afterNetwork: [istio] }), 'none');
  t.equal(violationText({ ...refused, verdict: 'denied' }, inForce, { afterNetwork: [istio] }), 'blocked medium');
});
