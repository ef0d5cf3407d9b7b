// Ports that the API of AdminNetworkPolicy accepts and does not define (rule 27).
import t from 'tap';
import { verdictJson } from '../../policy/explain.ts';
import { clusterPolicy, pod, policy, sideOf, verdictOf } from '../scene/cluster.ts';

const web = pod('shop/web', { app: 'web' });
const db = pod('shop/db', { app: 'db' }, { ips: ['10.0.0.2'] });
const from = [{ namespaces: {} }];
const open = policy('shop/open', { podSelector: {}, ingress: [{}] });
const isolated = policy('shop/all', { podSelector: {} });
const admin = (...rules: object[]) => clusterPolicy('anp/guard', { ingress: rules });
const reversed = { portRange: { start: 90, end: 80 } };
const icmp = { portNumber: { protocol: 'ICMP', port: 8 } };
const number = (port: number) => ({ portNumber: { port } });

/** `port`: 80, or `UDP 80`. */
function ingress(rules: object[], port: number | string, others = [open]) {
  return sideOf(verdictOf(web, db, port, [admin(...rules), ...others]), 'ingress').verdict;
}

t.test('rule 27: an empty list of ports may match everything or nothing', async (t) => {
  const deny = { action: 'Deny', from, ports: [] };
  t.equal(ingress([deny], 80), 'unknown');
  t.equal(ingress([deny], 80, [isolated]), 'denied', 'both possibilities deny it');
  t.equal(ingress([{ ...deny, action: 'Allow' }], 80), 'allowed', 'both possibilities allow it');
  t.equal(ingress([{ action: 'Allow', from }, deny], 80), 'allowed', 'an earlier rule decides');
  t.equal(ingress([deny, { action: 'Deny', from }], 80), 'denied', 'a later rule decides the same');
});

t.test('rule 27: a reversed range may match any port of its protocol, and no other protocol', async (t) => {
  const deny = { action: 'Deny', from, ports: [reversed, number(443)] };
  t.equal(ingress([deny], 443), 'denied', 'a defined port of the same rule matches');
  t.equal(ingress([deny], 85), 'unknown');
  t.equal(ingress([deny], 'UDP 85'), 'allowed');
});

t.test('rule 27: another protocol leaves TCP, UDP and SCTP alone', async (t) => {
  const deny = { action: 'Deny', from, ports: [icmp] };
  t.equal(ingress([deny], 80), 'allowed');
  t.equal(ingress([deny], 'ICMP'), 'unknown');
});

t.test('rule 27: the reason names the policy', async (t) => {
  const verdict = verdictOf(web, db, 80, [admin({ action: 'Deny', from, ports: [] })]);
  t.equal(
    verdictJson(verdict).reason,
    'a rule could match by ports that the API does not define: AdminNetworkPolicy guard',
  );
});
