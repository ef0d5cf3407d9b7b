import t from 'tap';
import { held } from '../../../collector/findings/rule.ts';
import type { Assessed, Standing } from '../../../model/assessed.ts';
import type { Connection, Delivered } from '../../../model/connection.ts';
import { ICMP, SCTP, TCP, UDP } from '../../../model/protocol.ts';
import { connection } from '../../scene/connections.ts';

const yes: Delivered = { delivered: 'yes', by: 'seen' };
const no: Delivered = { delivered: 'no' };
const doubt: Delivered = { delivered: 'unknown', why: 'not-watched' };
const inForce: Standing = { standing: 'in-force' };

function judged(change: Partial<Connection>, standing: Standing = inForce): string {
  const made = connection(change);
  const assessed: Assessed = {
    connection: made,
    verdict: { verdict: made.verdict, sides: [] },
    standing,
    seen: [],
    via: undefined,
  };
  const against = held(assessed);
  return against === undefined ? 'none' : `${against.kind} ${against.severity}`;
}

t.test('denied: a bypass where it was carried, blocked where it was not', async (t) => {
  const denied = { verdict: 'denied' } as const;
  t.equal(judged({ ...denied, outcome: 'established', delivered: yes }), 'bypass critical');
  t.equal(judged({ ...denied, outcome: 'unanswered', delivered: yes }), 'bypass critical', 'delivered is carried');
  t.equal(judged({ ...denied, outcome: 'refused', delivered: yes }), 'bypass critical');
  t.equal(judged({ ...denied, outcome: 'refused', delivered: no }), 'blocked medium', 'an enforcer refused it');
  t.equal(judged({ ...denied, outcome: 'unanswered', delivered: no }), 'blocked medium');
  t.equal(judged({ ...denied, outcome: 'refused', delivered: doubt }), 'blocked medium');
  t.equal(judged({ ...denied, outcome: 'unanswered', delivered: doubt }), 'blocked medium');
});

t.test('an inferred initiator never makes a critical finding', async (t) => {
  const change = { verdict: 'denied', outcome: 'established', delivered: yes, initiatorInferred: true } as const;
  t.equal(judged(change), 'bypass high');
});

t.test('undeclared: a finding only across nodes or out of the cluster, and only where it was carried', async (t) => {
  const carried = { verdict: 'undeclared', outcome: 'established', delivered: yes } as const;
  t.equal(judged({ ...carried, placement: 'cross-node' }), 'undeclared medium');
  t.equal(judged({ ...carried, placement: 'same-node' }), 'none');
  t.equal(judged({ ...carried, placement: 'host' }), 'none');
  t.equal(judged({ ...carried, placement: 'ingress' }), 'none');
  const out = { ...carried, placement: 'egress' } as const;
  const outside = (zone: string) => ({ responder: { kind: 'external' as const, zone } });
  t.equal(judged({ ...out, ...outside('internet') }), 'undeclared high');
  t.equal(judged({ ...out, ...outside('on-premises') }), 'undeclared medium');
  const lost = { verdict: 'undeclared', placement: 'cross-node', outcome: 'unanswered' } as const;
  t.equal(judged({ ...lost, delivered: no }), 'none');
  t.equal(judged({ ...lost, delivered: yes }), 'undeclared medium', 'delivered is carried, whatever was answered');
});

t.test('undeclared and refused in doubt counts as carried: nothing declared could have refused it', async (t) => {
  const refused = { verdict: 'undeclared', placement: 'cross-node', outcome: 'refused' } as const;
  t.equal(judged({ ...refused, delivered: doubt }), 'undeclared medium');
  t.equal(judged({ ...refused, delivered: no }), 'none');
});

t.test('undeclared and unanswered in doubt: only without a handshake, and only out of the cluster', async (t) => {
  const silent = { verdict: 'undeclared', outcome: 'unanswered', delivered: doubt } as const;
  const internet = { kind: 'external' as const, zone: 'internet' };
  t.equal(judged({ ...silent, placement: 'egress', protocol: UDP, responder: internet }), 'undeclared high');
  t.equal(judged({ ...silent, placement: 'egress', protocol: ICMP, responder: internet }), 'undeclared high');
  t.equal(judged({ ...silent, placement: 'egress', protocol: TCP, responder: internet }), 'none');
  t.equal(judged({ ...silent, placement: 'egress', protocol: SCTP, responder: internet }), 'none');
  t.equal(judged({ ...silent, placement: 'cross-node', protocol: UDP }), 'none');
});

t.test('allowed: broken where it was seen that it did not arrive', async (t) => {
  const allowed = { verdict: 'allowed' } as const;
  t.equal(judged({ ...allowed, outcome: 'established', delivered: yes }), 'none');
  t.equal(judged({ ...allowed, outcome: 'unanswered', delivered: yes }), 'none', 'carried, and the pod kept silent');
  t.equal(judged({ ...allowed, outcome: 'unanswered', delivered: no }), 'broken low');
  t.equal(judged({ ...allowed, outcome: 'refused', delivered: no }), 'broken low');
  t.equal(judged({ ...allowed, outcome: 'unanswered', delivered: no, protocol: UDP }), 'broken low');
  t.equal(judged({ ...allowed, outcome: 'refused', delivered: doubt }), 'none');
});

t.test('allowed and unanswered in doubt: broken only for TCP, by a SYN sent again', async (t) => {
  const silent = { verdict: 'allowed', outcome: 'unanswered', delivered: doubt } as const;
  t.equal(judged({ ...silent, synRetries: 2 }), 'broken low');
  t.equal(judged({ ...silent, synRetries: 0 }), 'none');
  t.equal(judged({ ...silent, protocol: UDP }), 'none', 'one-way UDP needs a witness');
});

t.test('unknown is never guessed', async (t) => {
  for (const delivered of [yes, no, doubt]) {
    for (const outcome of ['established', 'refused', 'unanswered'] as const) {
      t.equal(judged({ verdict: 'unknown', outcome, delivered }), 'none');
    }
  }
});

t.test('within the grace after a change a bypass does not count, a block does', async (t) => {
  const grace: Standing = { standing: 'grace' };
  t.equal(judged({ verdict: 'denied', outcome: 'established', delivered: yes }, grace), 'none');
  t.equal(judged({ verdict: 'denied', outcome: 'unanswered', delivered: no }, grace), 'blocked medium');
});

t.test('a connection that outlived the change that denies it is grandfathered', async (t) => {
  const outlived: Standing = { standing: 'outlived', deniedNow: { verdict: 'denied', sides: [] } };
  t.equal(judged({ verdict: 'undeclared', outcome: 'established', delivered: yes }, outlived), 'grandfathered low');
});
