import t from 'tap';
import { PartyClasses } from '../../connectivity/party-classes.ts';
import type { ClusterPolicy, Labels, Policy } from '../../model/kubernetes.ts';
import type { Party } from '../../model/verdict.ts';
import { app, clusterPolicy, type PodParty, pod, policy, sideOf, verdictOf } from '../scene/cluster.ts';
import { ip } from '../scene/records.ts';

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
