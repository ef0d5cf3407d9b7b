import t from 'tap';
import { violationOf } from '../../../collector/findings/violation.ts';
import type { Connection, Delivered } from '../../../model/connection.ts';
import type { EvaluatedConnection, VerdictTiming } from '../../../model/evaluated.ts';
import { ICMP, SCTP, TCP, UDP } from '../../../model/protocol.ts';
import { connection } from '../../scene/connections.ts';

const yes: Delivered = { delivered: 'yes', by: 'seen' };
const no: Delivered = { delivered: 'no' };
const doubt: Delivered = { delivered: 'unknown', why: 'not-watched' };
const inForce: VerdictTiming = { timing: 'in-force' };

function violationText(change: Partial<Connection>, timing: VerdictTiming = inForce): string {
  const made = connection(change);
  const evaluated: EvaluatedConnection = {
    connection: made,
    verdict: { verdict: made.verdict, sides: [] },
    timing,
    observations: [],
    masqueradeAddress: undefined,
  };
  const violation = violationOf(evaluated);
  return violation === undefined ? 'none' : `${violation.kind} ${violation.severity}`;
}

t.test('denied: a bypass where it was carried, blocked where it was not', async (t) => {
  const denied = { verdict: 'denied' } as const;
  t.equal(violationText({ ...denied, outcome: 'established', delivered: yes }), 'bypass critical');
  t.equal(
    violationText({ ...denied, outcome: 'unanswered', delivered: yes }),
    'bypass critical',
    'delivered is carried',
  );
  t.equal(violationText({ ...denied, outcome: 'refused', delivered: yes }), 'bypass critical');
  t.equal(violationText({ ...denied, outcome: 'refused', delivered: no }), 'blocked medium', 'an enforcer refused it');
  t.equal(violationText({ ...denied, outcome: 'unanswered', delivered: no }), 'blocked medium');
  t.equal(violationText({ ...denied, outcome: 'refused', delivered: doubt }), 'blocked medium');
  t.equal(violationText({ ...denied, outcome: 'unanswered', delivered: doubt }), 'blocked medium');
});

t.test('an inferred initiator never makes a critical finding', async (t) => {
  const change = { verdict: 'denied', outcome: 'established', delivered: yes, initiatorInferred: true } as const;
  t.equal(violationText(change), 'bypass high');
});

t.test('undeclared: a finding only across nodes or out of the cluster, and only where it was carried', async (t) => {
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
  t.equal(
    violationText({ ...lost, delivered: yes }),
    'undeclared medium',
    'delivered is carried, whatever was answered',
  );
});

t.test('undeclared and refused in doubt counts as carried: nothing declared could have refused it', async (t) => {
  const refused = { verdict: 'undeclared', placement: 'cross-node', outcome: 'refused' } as const;
  t.equal(violationText({ ...refused, delivered: doubt }), 'undeclared medium');
  t.equal(violationText({ ...refused, delivered: no }), 'none');
});

t.test('undeclared and unanswered in doubt: only without a handshake, and only out of the cluster', async (t) => {
  const silent = { verdict: 'undeclared', outcome: 'unanswered', delivered: doubt } as const;
  const internet = { kind: 'external' as const, zone: 'internet' };
  t.equal(violationText({ ...silent, placement: 'egress', protocol: UDP, responder: internet }), 'undeclared high');
  t.equal(violationText({ ...silent, placement: 'egress', protocol: ICMP, responder: internet }), 'undeclared high');
  t.equal(violationText({ ...silent, placement: 'egress', protocol: TCP, responder: internet }), 'none');
  t.equal(violationText({ ...silent, placement: 'egress', protocol: SCTP, responder: internet }), 'none');
  t.equal(violationText({ ...silent, placement: 'cross-node', protocol: UDP }), 'none');
});

t.test('allowed: broken where it was seen that it did not arrive', async (t) => {
  const allowed = { verdict: 'allowed' } as const;
  t.equal(violationText({ ...allowed, outcome: 'established', delivered: yes }), 'none');
  t.equal(
    violationText({ ...allowed, outcome: 'unanswered', delivered: yes }),
    'none',
    'carried, and the pod kept silent',
  );
  t.equal(violationText({ ...allowed, outcome: 'unanswered', delivered: no }), 'broken low');
  t.equal(violationText({ ...allowed, outcome: 'refused', delivered: no }), 'broken low');
  t.equal(violationText({ ...allowed, outcome: 'unanswered', delivered: no, protocol: UDP }), 'broken low');
  t.equal(violationText({ ...allowed, outcome: 'refused', delivered: doubt }), 'none');
});

t.test('allowed and unanswered in doubt: broken only for TCP, by a SYN sent again', async (t) => {
  const silent = { verdict: 'allowed', outcome: 'unanswered', delivered: doubt } as const;
  t.equal(violationText({ ...silent, synRetries: 2 }), 'broken low');
  t.equal(violationText({ ...silent, synRetries: 0 }), 'none');
  t.equal(violationText({ ...silent, protocol: UDP }), 'none', 'one-way UDP needs a witness');
});

t.test('unknown is never guessed', async (t) => {
  for (const delivered of [yes, no, doubt]) {
    for (const outcome of ['established', 'refused', 'unanswered'] as const) {
      t.equal(violationText({ verdict: 'unknown', outcome, delivered }), 'none');
    }
  }
});

t.test('within the grace after a change a bypass does not count, a block does', async (t) => {
  const grace: VerdictTiming = { timing: 'grace' };
  t.equal(violationText({ verdict: 'denied', outcome: 'established', delivered: yes }, grace), 'none');
  t.equal(violationText({ verdict: 'denied', outcome: 'unanswered', delivered: no }, grace), 'blocked medium');
});

t.test('a connection that outlived the change that denies it is grandfathered', async (t) => {
  const grandfathered: VerdictTiming = { timing: 'grandfathered', deniedNow: { verdict: 'denied', sides: [] } };
  t.equal(
    violationText({ verdict: 'undeclared', outcome: 'established', delivered: yes }, grandfathered),
    'grandfathered low',
  );
});
