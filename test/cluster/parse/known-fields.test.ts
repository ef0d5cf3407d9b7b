// Fields that an object does not have, at its top level, in its metadata, and of pods and their templates.
import t from 'tap';
import { parseObject } from '../../../cluster/parse/parse.ts';
import type { NetworkPolicy } from '../../../model/kubernetes.ts';
import { parsed, problemsOf, raw } from '../../scene/objects.ts';

const app = { matchLabels: { app: 'web' } };
const spec = { podSelector: app, policyTypes: ['Ingress'] };
const fieldsOf = (object: unknown) =>
  problemsOf(object).map((line) => /^unknown-field: .*unknown field "(\w+)"/.exec(line)?.[1] ?? line);
const unknownParts = (object: unknown) => {
  const { broken, directions, podSelector } = parsed('NetworkPolicy', object) as NetworkPolicy & {
    broken?: unknown;
    directions?: unknown;
  };
  return { broken: broken !== undefined, directions, selects: podSelector !== undefined };
};
const everyDirection = ['ingress', 'egress'];

t.test(
  'a field of a policy beside spec is a fault, and the policy may select any pod in both directions',
  async (t) => {
    const dedented = raw('NetworkPolicy', 'shop/p', { spec: null, ...spec });
    t.same(fieldsOf(dedented), ['podSelector', 'policyTypes']);
    t.same(unknownParts(dedented), { broken: true, directions: everyDirection, selects: false });
    const capital = raw('NetworkPolicy', 'shop/p', { Spec: spec });
    t.same(fieldsOf(capital), ['Spec']);
    t.same(unknownParts(capital), { broken: true, directions: everyDirection, selects: false });
    const beside = raw('NetworkPolicy', 'shop/p', { spec, egress: [{}] });
    t.same(fieldsOf(beside), ['egress']);
    t.same(unknownParts(beside), { broken: true, directions: everyDirection, selects: true });
  },
);

t.test('a field of a cluster policy beside spec is a fault too', async (t) => {
  const guard = { priority: 1, subject: { namespaces: {} }, ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] };
  const policy = raw('AdminNetworkPolicy', 'guard', { spec: guard });
  t.same(fieldsOf(policy), []);
  for (const name of ['Spec', 'egress', 'subject', 'priority']) {
    t.same(fieldsOf({ ...policy, [name]: {} }), [name]);
    t.match(parsed('AdminNetworkPolicy', { ...policy, [name]: {} }), { broken: [{}], directions: everyDirection });
  }
});

t.test('a field of the metadata of a policy that Kubernetes does not have is a fault', async (t) => {
  for (const name of ['label', 'Labels', 'annotation', 'team', 'podSelector']) {
    t.same(fieldsOf(raw('NetworkPolicy', 'shop/p', { spec, metadata: { [name]: {} } })), [name]);
  }
});

t.test('a policy with a misspelled namespace may be a policy of any namespace', async (t) => {
  for (const name of ['namspace', 'Namespace', 'namesapce', 'namespaces']) {
    const found = parseObject(raw('NetworkPolicy', 'p', { spec, metadata: { [name]: 'shop' } }));
    t.match(found, { is: 'broken', problems: [{ code: 'unknown-field' }], mayBePolicy: {} }, name);
    t.notOk((found as { mayBePolicy?: { namespace?: string } }).mayBePolicy?.namespace);
  }
  t.match(parseObject(raw('NetworkPolicy', 'shop/p', { spec, metadata: { namspace: 'x' } })), { is: 'object' });
});

const serverMetadata = {
  uid: 'u',
  resourceVersion: '1',
  generation: 2,
  creationTimestamp: '2026-01-31T12:00:00Z',
  deletionTimestamp: '2026-01-31T12:00:00Z',
  deletionGracePeriodSeconds: 30,
  selfLink: '/x',
  managedFields: [{ manager: 'kubectl', fieldsV1: { 'f:metadata': { 'f:label': {} } } }],
  finalizers: ['a/b'],
  ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: 'x', uid: 'u' }],
  labels: { label: 'x' },
  annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
};

t.test('the fields that the API server sets are no faults', async (t) => {
  const metadata = serverMetadata;
  t.same(problemsOf(raw('NetworkPolicy', 'shop/p', { spec, metadata, status: { conditions: [] } })), []);
  for (const kind of ['Pod', 'Namespace', 'Service', 'Deployment', 'Node', 'EndpointSlice'] as const)
    t.same(fieldsOf(raw(kind, 'shop/p', { metadata, status: {}, ...endpointsOf(kind) })), [], kind);
});

const endpointsOf = (kind: string) => (kind === 'EndpointSlice' ? { addressType: 'IPv4', endpoints: [] } : {});
const container = {
  name: 'c',
  image: 'i',
  ports: [{ name: 'http', containerPort: 80, hostPort: 80, hostIP: '1.2.3.4' }],
};

t.test('a field of a pod with nearly the name of a field that is read is a fault', async (t) => {
  const pod = (metadata: object, podSpec: object) => raw('Pod', 'shop/web', { metadata, spec: podSpec });
  t.same(fieldsOf(pod({ label: {} }, { containers: [container] })), ['label']);
  for (const name of [
    'hostnetwork',
    'hostNetwrok',
    'hostNetworks',
    'HostNetwork',
    'nodename',
    'container',
    'cntainers',
  ])
    t.same(fieldsOf(pod({}, { [name]: true })), [name]);
  for (const name of ['port', 'Ports']) t.same(fieldsOf(pod({}, { containers: [{ [name]: [] }] })), [name]);
  const port = { containerPort: 80, protocl: 'UDP', nam: 'http' };
  t.same(fieldsOf(pod({}, { containers: [{ ports: [port] }] })), ['protocl', 'nam']);
  t.match(problemsOf(pod({}, { hostnetwork: true })), [/spec\.hostnetwork\): .*; use hostNetwork, or remove it/]);
});

t.test('other fields of a pod are no faults, since pods have many', async (t) => {
  const podSpec = {
    ...{
      containers: [{ ...container, env: [], resizePolicy: [], restartPolicy: 'Always' }],
      hostPID: true,
      hostIPC: true,
    },
    ...{ hostname: 'x', hostUsers: true, nodeSelector: {}, hostAliases: [], ephemeralContainers: [], new: 1 },
  };
  t.same(problemsOf(raw('Pod', 'shop/web', { spec: podSpec, extra: 1 })), []);
  t.same(problemsOf(raw('Deployment', 'shop/web', { spec: { template: { spec: podSpec }, strategy: {} } })), []);
});

t.test('pod templates, namespaces and Services are checked like pods', async (t) => {
  const template = { metadata: { lables: {} }, spec: { hostnetwork: true, containers: [] } };
  t.same(fieldsOf(raw('Deployment', 'shop/web', { spec: { template } })), ['lables', 'hostnetwork']);
  t.same(fieldsOf(raw('CronJob', 'shop/web', { spec: { jobTemplate: { spec: { template } } } })), [
    'lables',
    'hostnetwork',
  ]);
  t.same(fieldsOf(raw('Deployment', 'shop/web', { spec: { templates: {} } })), ['templates']);
  const rollout = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', metadata: { name: 'web', namespace: 'shop' } };
  t.same(fieldsOf({ ...rollout, specs: {}, spec: { template, templates: [] } }), ['lables', 'hostnetwork']);
  t.same(fieldsOf(raw('Namespace', 'shop', { metadata: { label: {} } })), ['label']);
  t.same(fieldsOf(raw('Service', 'shop/web', { spec: { Selector: {}, ports: [{ port: 1, targetport: 2 }] } })), [
    'Selector',
    'targetport',
  ]);
});
