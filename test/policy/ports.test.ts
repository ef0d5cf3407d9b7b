import t from 'tap';
import type { NetworkPolicy } from '../../model/kubernetes.ts';
import { app, nodeAddress, outside, pod, policy, sideOf, verdictOf } from '../scene/cluster.ts';

const web = pod('shop/web', { app: 'web' }, { ports: { http: 8080 } });
const db = pod('shop/db', { app: 'db' }, { ports: { sql: 5432, 'dns/UDP': 53, http: 80 }, node: 'n2' });

function ingressPorts(...ports: object[]): NetworkPolicy[] {
  return [policy('shop/db', { podSelector: app('db'), ingress: [{ ports }] })];
}
function egressPorts(...ports: object[]): NetworkPolicy[] {
  return [policy('shop/web', { podSelector: app('web'), egress: [{ ports }] })];
}

t.test('rule 10: a missing protocol is TCP', async (t) => {
  const policies = ingressPorts({ port: 53 });
  t.equal(verdictOf(web, db, 'TCP 53', policies).verdict, 'allowed');
  t.equal(verdictOf(web, db, 'UDP 53', policies).verdict, 'denied');
});

t.test('rule 10: a missing port means every port of that protocol', async (t) => {
  const policies = ingressPorts({ protocol: 'UDP' });
  t.equal(verdictOf(web, db, 'UDP 1', policies).verdict, 'allowed');
  t.equal(verdictOf(web, db, 'UDP 65535', policies).verdict, 'allowed');
  t.equal(verdictOf(web, db, 'TCP 1', policies).verdict, 'denied');
  t.equal(verdictOf(web, db, 'SCTP 1', policies).verdict, 'denied');
});

t.test('rule 10: endPort makes a range that includes both ends', async (t) => {
  const policies = ingressPorts({ port: 8000, endPort: 8010 });
  const verdicts = [7999, 8000, 8005, 8010, 8011].map((port) => verdictOf(web, db, port, policies).verdict);
  t.same(verdicts, ['denied', 'allowed', 'allowed', 'allowed', 'denied']);
});

t.test('rule 10: a named port resolves on the responder, not on the pod of the policy', async (t) => {
  const policies = egressPorts({ port: 'http' });
  t.equal(verdictOf(web, db, 80, policies).verdict, 'allowed', 'port http of db');
  t.equal(verdictOf(web, db, 8080, policies).verdict, 'denied', 'port http of web');
  t.equal(verdictOf(web, db, 5432, ingressPorts({ port: 'sql' })).verdict, 'allowed');
});

t.test('rule 10: a named port needs the same protocol', async (t) => {
  t.equal(verdictOf(web, db, 'UDP 53', ingressPorts({ port: 'dns', protocol: 'UDP' })).verdict, 'allowed');
  t.equal(verdictOf(web, db, 'TCP 53', ingressPorts({ port: 'dns', protocol: 'TCP' })).verdict, 'denied');
  t.equal(verdictOf(web, db, 'UDP 53', ingressPorts({ port: 'dns' })).verdict, 'denied');
});

t.test('rule 10: a named port matches nothing on a responder that is not a pod', async (t) => {
  const policies = egressPorts({ port: 'http' });
  t.equal(verdictOf(web, outside('203.0.113.7'), 80, policies).verdict, 'denied');
  t.equal(verdictOf(web, nodeAddress('192.0.2.7', 'n7'), 80, policies).verdict, 'denied');
});

t.test('rule 11: a rule with ports does not match other protocols, a rule without ports does', async (t) => {
  for (const protocol of ['ICMP', 'ICMPv6', '47']) {
    t.equal(verdictOf(web, db, protocol, ingressPorts({ port: 80 })).verdict, 'denied');
    t.equal(verdictOf(web, db, protocol, ingressPorts({ protocol: 'TCP' })).verdict, 'denied');
    t.equal(verdictOf(web, db, protocol, ingressPorts()).verdict, 'allowed');
  }
});

t.test('rule 11: a verdict for another protocol has undefinedByApi', async (t) => {
  t.equal(verdictOf(web, db, 'ICMP', []).undefinedByApi, true);
  for (const port of ['TCP 1', 'UDP 1', 'SCTP 1']) t.notHas(verdictOf(web, db, port, []), { undefinedByApi: true });
});

t.test('a denied side names the nearest rule of each policy and its part that did not match', async (t) => {
  const policies = [
    policy('shop/db', {
      podSelector: app('db'),
      ingress: [
        { from: [{ podSelector: app('cron') }], ports: [{ port: 80 }] },
        { from: [{ podSelector: app('web') }], ports: [{ port: 5432 }, { port: 8000, endPort: 8010 }] },
      ],
    }),
    policy('shop/none', { podSelector: {} }),
    policy('shop/udp', { podSelector: {}, ingress: [{ ports: [{ protocol: 'UDP', port: 'dns' }] }] }),
    policy('shop/peer', { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.0/24' } }] }] }),
  ];
  const side = sideOf(verdictOf(web, db, 80, policies), 'ingress');
  t.equal(side.verdict, 'denied');
  t.same('nearest' in side && side.nearest.map(({ policy: { name }, ...miss }) => ({ name, ...miss })), [
    { name: 'db', rule: 1, mismatch: 'port', expected: 'TCP 5432 or TCP 8000 to 8010' },
    { name: 'none', rule: -1, mismatch: 'no-rules', expected: '' },
    { name: 'peer', rule: 0, mismatch: 'peer', expected: 'an address in 192.0.2.0/24' },
    { name: 'udp', rule: 0, mismatch: 'protocol', expected: 'the UDP port that the responder names dns' },
  ]);
});
