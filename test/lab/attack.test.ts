// The checks of `make attack`: each of them can fail, and each attack has a name of its own.
import t from 'tap';
import { campaigns } from '../../lab/attack/attacks.ts';
import { missingFinding } from '../../lab/attack/expected-finding.ts';
import { isFalse } from '../../lab/attack/false-findings.ts';
import { blocked, honestFlows } from '../../lab/attack/honest-flows.ts';
import { type HonestConnection, honestFaults } from '../../lab/attack/honest-traffic.ts';
import type { ConnectionJson, FindingJson } from '../../model/json.ts';

const flow = honestFlows[0]!;
const made: HonestConnection = { flow, sourcePort: 20_001, startedMs: 1, endedMs: 2, expected: flow.expected };
const reported = {
  id: 'one',
  initiator: { kind: 'pod', namespace: 'shop', pod: 'web-0', names: [] },
  protocol: 'TCP',
  initiatorPort: 20_001,
  outcome: 'established',
  verdict: 'allowed',
  delivered: 'yes',
  packets: { forward: 5, reverse: 4 },
} as unknown as ConnectionJson;

function finding(change: object): FindingJson {
  return {
    id: 'f1',
    kind: 'bypass',
    severity: 'critical',
    initiator: { kind: 'pod', namespace: 'tenant', workload: 'evil', names: [] },
    responder: { kind: 'pod', namespace: 'shop', workload: 'db', names: [] },
    protocol: 'TCP',
    port: 5432,
    connections: 1,
    explanation: 'sent with the address 10.244.1.11',
    evidence: {},
    ...change,
  } as unknown as FindingJson;
}

t.test('every attack has a unique name and says what it does', async (t) => {
  const attacks = campaigns.flatMap((campaign) => campaign.attacks);
  t.ok(attacks.length >= 25, `${attacks.length} attacks`);
  t.equal(new Set(attacks.map(({ name }) => name)).size, attacks.length);
  for (const { name, does } of attacks) t.match(does, /^[a-z].*[^.]$/, name);
});

t.test('an honest connection that is reported as it was is no fault', async (t) => {
  t.same(honestFaults([made], [reported], []), []);
});

t.test('an honest connection that is missing, doubled or changed is a fault', async (t) => {
  const name = `${flow.name} (from port 20001)`;
  const faultsWith = (...connections: object[]) => honestFaults([made], connections as ConnectionJson[], []);
  t.match(faultsWith(), [`${name}: not reported`]);
  t.match(faultsWith({ ...reported, initiatorPort: 20_002 }), [`${name}: not reported`]);
  t.match(faultsWith({ ...reported, initiator: { ...reported.initiator, pod: 'cart-0' } }), [`${name}: not reported`]);
  t.same(faultsWith(reported, reported), [`${name}: reported as 2 connections`]);
  t.same(faultsWith({ ...reported, outcome: 'refused' }), [`${name}: outcome established expected, refused seen`]);
  t.same(faultsWith({ ...reported, verdict: 'unknown', reason: 'stale' }), [
    `${name}: verdict allowed expected, unknown (stale) seen`,
  ]);
  t.same(faultsWith({ ...reported, delivered: 'unknown' }), [`${name}: delivered yes expected, unknown seen`]);
  t.same(faultsWith({ ...reported, packets: { forward: 0, reverse: 3 } }), [
    `${name}: no packet of the initiator is counted`,
  ]);
  const named = { ...reported, finding: 'f1' };
  t.same(honestFaults([made], [named], [finding({})]), [`${name}: finding none expected, bypass seen`]);
});

t.test('a blocked connection needs its finding, and an attacked one may be two connections', async (t) => {
  const connection = { ...reported, outcome: 'unanswered', verdict: 'denied', delivered: 'no' };
  const faultsOf = (expected: HonestConnection['expected'], ...seen: object[]) =>
    honestFaults([{ ...made, expected }], seen as ConnectionJson[], [finding({ id: 'f2', kind: 'blocked' })]);
  t.same(faultsOf(blocked, { ...connection, finding: 'f2' }), []);
  t.equal(faultsOf(blocked, connection).length, 1);
  const twice = [
    { ...connection, finding: 'f2' },
    { ...connection, finding: 'f2' },
  ];
  t.same(faultsOf({ ...blocked, maxConnections: 2 }, ...twice), []);
});

t.test('an expected finding is compared by every field that is set', async (t) => {
  const wanted = { kind: 'bypass', severity: 'critical', responder: 'shop/db', protocol: 'TCP', port: 5432 };
  t.equal(missingFinding({ ...wanted, mentions: '10.244.1.11' }, [finding({})]), undefined);
  for (const change of [
    { kind: 'blocked' },
    { severity: 'high' },
    { responder: 'shop/cart' },
    { protocol: 'UDP' },
    { port: 80 },
    { mentions: '10.244.1.12' },
  ]) {
    t.match(missingFinding({ ...wanted, ...change }, [finding({})]), 'expected a finding', JSON.stringify(change));
  }
  t.match(missingFinding(wanted, []), 'seen none that is near');
  const external = { responder: { kind: 'external', ip: '198.51.100.20', zone: 'internet', names: [] } };
  t.equal(missingFinding({ kind: 'bypass', responder: 'internet' }, [finding(external)]), undefined);
});

t.test('a finding of anybody but the attacker is false, except the blocked probe and a blind node', async (t) => {
  const of = (namespace: string, workload: string) => ({ kind: 'pod', namespace, workload, names: [] });
  t.equal(isFalse(finding({})), false);
  t.equal(isFalse(finding({ initiator: of('shop', 'batch') })), true);
  t.equal(isFalse(finding({ initiator: { kind: 'external', ip: '203.0.113.77', zone: 'internet', names: [] } })), true);
  const probe = { initiator: of('shop', 'probe'), responder: of('shop', 'vault') };
  t.equal(isFalse(finding({ ...probe, kind: 'blocked' })), false);
  t.equal(isFalse(finding({ ...probe, kind: 'bypass' })), true);
  const node = { kind: 'node', node: 'node-a', names: [] };
  t.equal(isFalse(finding({ kind: 'coverage-gap', initiator: node })), false);
  t.equal(isFalse(finding({ kind: 'coverage-gap', initiator: of('shop', 'web') })), true);
  t.equal(isFalse(finding({ kind: 'spoofed', initiator: node })), true);
});
