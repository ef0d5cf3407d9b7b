import t from 'tap';
import { PartyClasses } from '../../connectivity/party-classes.ts';
import type { ClusterPolicy, Labels, Policy } from '../../model/kubernetes.ts';
import { valueFrom } from '../../model/label-value.ts';
import type { Party } from '../../model/verdict.ts';
import { verdictJson } from '../../policy/explain.ts';
import { app, clusterPolicy, type PodParty, pod, policy, sideOf, verdictOf } from '../scene/cluster.ts';
import { ip } from '../scene/records.ts';
import { Chance } from './oracle/chance.ts';

const web = pod('shop/web', { app: 'web' });

/** A pod of a namespace whose labels are not known, except for the name. */
function unlabelled(place: string, labels: Labels = {}): PodParty {
  return { ...pod(place, labels), namespaceLabelsKnown: false };
}

function ingress(from: Party, policies: readonly Policy[], to: Party = web) {
  const side = sideOf(verdictOf(from, to, 80, policies), 'ingress');
  return side.verdict === 'unknown' ? side.why : side.verdict;
}

const asked = (selector: object) => ({ namespaceSelector: selector });
const from = (peer: object) => [policy('shop/web', { podSelector: {}, ingress: [{ from: [peer] }] })];
const notKnown = (namespace: string, kind: Policy['kind'], place: string, name: string) => ({
  reason: 'namespace-labels-not-known',
  namespace,
  policies: [{ kind, namespace: place, name }],
});

t.test('a peer that requires a namespace label that is not known may match', async (t) => {
  const why = notKnown('mon', 'NetworkPolicy', 'shop', 'web');
  for (const [operator, values] of [['In', ['a']], ['NotIn', ['a']], ['Exists'], ['DoesNotExist']]) {
    const peer = asked({ matchExpressions: [{ key: 'team', operator, values }] });
    t.same(ingress(unlabelled('mon/prom'), from(peer)), why, `${operator}`);
  }
});

t.test('a peer that the namespace name or the pod labels decide is certain', async (t) => {
  const named = (name: string) => asked({ matchLabels: { 'kubernetes.io/metadata.name': name } });
  t.equal(ingress(unlabelled('mon/prom'), from(named('mon'))), 'allowed');
  t.equal(ingress(unlabelled('mon/prom'), from(named('ops'))), 'denied');
  t.equal(ingress(unlabelled('mon/prom'), from(asked({}))), 'allowed');
  const opsOfA = asked({ matchLabels: { 'kubernetes.io/metadata.name': 'ops', team: 'a' } });
  t.equal(ingress(unlabelled('mon/prom'), from(opsOfA)), 'denied');
  const apiOfA = { ...asked({ matchLabels: { team: 'a' } }), podSelector: app('api') };
  t.equal(ingress(unlabelled('mon/prom', { app: 'prom' }), from(apiOfA)), 'denied');
  t.match(ingress(unlabelled('mon/prom', { app: 'api' }), from(apiOfA)), { reason: 'namespace-labels-not-known' });
  t.equal(ingress(unlabelled('shop/x'), from({ podSelector: {} })), 'allowed', 'its own namespace is not selected');
});

t.test('a cluster policy whose subject requires a label that is not known may or may not select the pod', async (t) => {
  const ofA = { namespaces: { matchLabels: { team: 'a' } } };
  const rule = (action: string) => ({ action, from: [{ namespaces: {} }] });
  const admin = (action: string, more: object = {}): ClusterPolicy =>
    clusterPolicy('cnp/a', { subject: ofA, ingress: [rule(action)], ...more });
  const own = unlabelled('shop/api', { app: 'api' });
  const why = notKnown('shop', 'ClusterNetworkPolicy', '', 'a');
  t.same(ingress(web, [admin('Deny')], own), why);
  t.same(ingress(web, [admin('Accept')], own), why);
  t.equal(ingress(web, [admin('Pass')], own), 'undeclared', 'the same verdict in both cases');
  const closed = policy('shop/web', { podSelector: {} });
  t.equal(ingress(web, [admin('Deny'), closed], own), 'denied');
  t.same(ingress(web, [admin('Accept'), closed], own), why);
  const before = clusterPolicy('cnp/b', { priority: 1, ingress: [rule('Deny')] });
  t.equal(ingress(web, [admin('Accept'), before], own), 'denied', 'an earlier policy decides');
});

t.test('a node peer that requires a node label that is not known makes the side unknown', async (t) => {
  const toNodes = clusterPolicy('cnp/a', {
    egress: [{ action: 'Accept', to: [{ nodes: { matchLabels: { zone: 'a' } } }] }],
  });
  const node: Party = { kind: 'address', address: ip('192.0.2.1'), node: 'n2', nodeLabels: {} };
  t.equal(sideOf(verdictOf(web, node, 80, [toNodes]), 'egress').verdict, 'undeclared');
  t.match(sideOf(verdictOf(web, { ...node, nodeLabelsKnown: false }, 80, [toNodes]), 'egress'), {
    verdict: 'unknown',
    why: { reason: 'node-labels-not-known', node: 'n2', policies: [{ name: 'a' }] },
  });
});

t.test('pods of two such namespaces are one class only if no policy selects by namespace labels', async (t) => {
  const classes = (policies: Policy[]) => {
    const made = new PartyClasses(policies);
    return new Set(['mon/x', 'ops/x'].map((place) => made.classOf(unlabelled(place)).id)).size;
  };
  t.equal(classes(from(asked({}))), 1);
  t.equal(classes(from(asked({ matchLabels: { team: 'a' } }))), 2);
});

const hash = 'pod-template-hash';
/** A pod of a Deployment: the value of its hash is not known. */
const hashed = (place: string, labels: Labels = {}) => pod(place, { ...labels, [hash]: valueFrom('') });
const ofHash = (operator: string, ...values: string[]) => ({ matchExpressions: [{ key: hash, operator, values }] });
const hashReason = (kind: Policy['kind'], place: string, name: string) => ({
  reason: 'label-values-not-known',
  labels: [hash],
  policies: [{ kind, namespace: place, name }],
});

t.test('rule 16a: a label whose value is not known matches Exists, and is unknown by value', async (t) => {
  const why = hashReason('NetworkPolicy', 'shop', 'web');
  const asked = (operator: string, ...values: string[]) => {
    return ingress(hashed('shop/api'), from({ podSelector: ofHash(operator, ...values) }));
  };
  t.equal(asked('Exists'), 'allowed');
  t.equal(asked('DoesNotExist'), 'denied');
  t.same(asked('In', 'abc'), why);
  t.same(asked('NotIn', 'abc'), why);
  t.equal(asked('In', ''), 'denied', 'the value is not empty');
  t.equal(asked('NotIn', ''), 'allowed');
  const both = { podSelector: { matchLabels: { [hash]: 'abc', app: 'db' } } };
  t.equal(ingress(hashed('shop/api', { app: 'api' }), from(both)), 'denied', 'another label decides');
});

t.test('rule 16a: a value with a known beginning never matches a value without it', async (t) => {
  const job = pod('shop/job', { 'job-name': valueFrom('nightly-') });
  const asked = (operator: string, ...values: string[]) => {
    const requirement = { key: 'job-name', operator, values };
    return ingress(job, from({ podSelector: { matchExpressions: [requirement] } }));
  };
  t.equal(asked('In', 'migrate'), 'denied');
  t.equal(asked('In', 'nightly'), 'denied', 'something follows the beginning');
  t.equal(asked('NotIn', 'migrate'), 'allowed');
  t.match(asked('In', 'migrate', 'nightly-29000000'), { reason: 'label-values-not-known', labels: ['job-name'] });
});

t.test('rule 16a: a policy that selects by such a value may or may not isolate the pod', async (t) => {
  const own = hashed('shop/own', { app: 'web' });
  const api = pod('shop/api', { app: 'api' });
  const maybe = policy('shop/maybe', {
    podSelector: ofHash('In', 'abc'),
    ingress: [{ from: [{ podSelector: app('api') }] }],
  });
  const why = hashReason('NetworkPolicy', 'shop', 'maybe');
  const all = (rules: object[]) => policy('shop/all', { podSelector: {}, ingress: rules });
  t.same(ingress(api, [maybe], own), why, 'allowed or undeclared');
  t.same(ingress(web, [maybe], own), why, 'denied or undeclared');
  t.equal(ingress(api, [maybe, all([{}])], own), 'allowed', 'a policy cannot deny what another one allows');
  t.equal(ingress(web, [maybe, all([])], own), 'denied', 'neither allows it');
  t.same(ingress(api, [maybe, all([])], own), why, 'denied by one, and maybe allowed by the other');
  const baseline = (action: string) => {
    return clusterPolicy('cnp/base', { tier: 'Baseline', ingress: [{ action, from: [{ namespaces: {} }] }] });
  };
  t.equal(ingress(api, [maybe, baseline('Accept')], own), 'allowed', 'allowed in both cases');
  t.same(ingress(web, [maybe, baseline('Accept')], own), why);
  t.equal(ingress(web, [maybe, baseline('Deny')], own), 'denied', 'denied in both cases');
  t.same(ingress(api, [maybe, baseline('Deny')], own), why);
  const before = clusterPolicy('cnp/a', { ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] });
  t.equal(ingress(api, [maybe, before], own), 'denied', 'the Admin tier decides');
});

t.test('rule 16a: a cluster policy that selects by such a value may or may not select the pod', async (t) => {
  const own = hashed('shop/own', { app: 'web' });
  const subject = { pods: { namespaceSelector: {}, podSelector: ofHash('In', 'abc') } };
  const admin = (action: string) => {
    return clusterPolicy('cnp/a', { subject, ingress: [{ action, from: [{ namespaces: {} }] }] });
  };
  const why = hashReason('ClusterNetworkPolicy', '', 'a');
  t.same(ingress(web, [admin('Deny')], own), why);
  t.equal(ingress(web, [admin('Pass')], own), 'undeclared', 'the same verdict in both cases');
});

t.test(
  'rules 12 and 16a: a pod whose isolation is not known may reach its own node if both cases allow it',
  async (t) => {
    const own = hashed('shop/own', { app: 'web' });
    const node: Party = { kind: 'address', address: ip('192.0.2.1'), node: 'n1' };
    const maybe = policy('shop/maybe', { podSelector: ofHash('In', 'abc'), policyTypes: ['Egress'] });
    const egress = (policies: Policy[]) => sideOf(verdictOf(own, node, 80, policies), 'egress').verdict;
    t.equal(egress([maybe]), 'allowed');
    const rule = { action: 'Deny', to: [{ networks: ['192.0.2.1/32'] }] };
    t.equal(egress([maybe, clusterPolicy('cnp/base', { tier: 'Baseline', egress: [rule] })]), 'unknown');
  },
);

t.test('rule 16a: a certain verdict is that of every value, and an unknown one is not that of all', async (t) => {
  const chance = new Chance(Number(process.env.LABELS_SEED ?? 20));
  const selectors = [
    ...['abc', 'xyz'].flatMap((value) => [ofHash('In', value), ofHash('NotIn', value)]),
    ...[ofHash('Exists'), ofHash('DoesNotExist'), app('api'), {}],
  ];
  const one = <Item>(items: readonly Item[]) => chance.one(items);
  const rules = () => Array.from({ length: chance.number(3) }, () => ({ from: [{ podSelector: one(selectors) }] }));
  let unknown = 0;
  for (let round = 0; round < 2000; round++) {
    const policies = Array.from({ length: 1 + chance.number(3) }, (_, at) => {
      return policy(`shop/p${at}`, { podSelector: one(selectors), ingress: rules() });
    });
    const verdict = (from: string, to: string) => {
      const [initiator, responder] = [from, to].map((value, at) => pod(`shop/${at}`, { app: 'api', [hash]: value }));
      return sideOf(verdictOf(initiator!, responder!, 80, policies), 'ingress').verdict;
    };
    const values = ['abc', 'xyz', 'other'];
    const possible = new Set(values.flatMap((from) => values.map((to) => verdict(from, to))));
    const given = verdict(valueFrom(''), valueFrom(''));
    if (given === 'unknown') unknown += 1;
    else t.same([...possible], [given], `round ${round}`);
    if (possible.size > 1) t.equal(given, 'unknown', `round ${round}`);
  }
  t.ok(unknown > 100, `${unknown} rounds are unknown`);
});

t.test('pods with such labels are one class only if no policy selects by their values', async (t) => {
  const classes = (policies: Policy[]) => {
    const made = new PartyClasses(policies);
    return new Set([hashed('shop/a'), pod('shop/b', { [hash]: 'x' })].map((party) => made.classOf(party).id)).size;
  };
  t.equal(classes(from({ podSelector: ofHash('Exists') })), 1);
  t.equal(classes(from({ podSelector: ofHash('In', 'abc') })), 2);
});

t.test('the reason names the labels and the policies', async (t) => {
  const verdict = verdictOf(hashed('shop/api'), web, 80, from({ podSelector: ofHash('In', 'abc') }));
  t.equal(
    verdictJson(verdict).reason,
    'the value of label pod-template-hash is not known before a controller sets it, and a policy selects by such a value: NetworkPolicy shop/web',
  );
});
