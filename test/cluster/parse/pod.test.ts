import t from 'tap';
import { hasEnded } from '../../../model/kubernetes.ts';
import { parsed, problemsOf, raw } from '../../scene/objects.ts';

const pod = (rest: Record<string, unknown> = {}) => parsed('Pod', raw('Pod', 'shop/web-1', rest));
const owned = (kind: string, name: string, labels = {}) =>
  pod({ metadata: { labels, ownerReferences: [{ kind, name, controller: true }] } }).workload;

t.test('a pod has its name, namespace, labels, node and start time', async (t) => {
  const read = pod({
    metadata: { uid: 'u1', labels: { app: 'web' }, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { nodeName: 'n1', hostNetwork: true },
    status: { startTime: '2026-01-01T00:00:02Z' },
  });
  t.match(read, { name: 'web-1', namespace: 'shop', uid: 'u1', labels: { app: 'web' }, node: 'n1', hostNetwork: true });
  t.equal(read.startedUs, Date.UTC(2026, 0, 1, 0, 0, 2) * 1000);
});

t.test('a pod without namespace is in default; without uid it gets one from its name', async (t) => {
  t.match(parsed('Pod', raw('Pod', 'web')), { namespace: 'default', uid: 'Pod/default/web' });
});

t.test('rule 15: a pod owns its addresses of both families, each once', async (t) => {
  const status = { podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }, { ip: 'FD00:0::1' }] };
  t.same(pod({ status }).addresses, ['10.0.0.1', 'fd00::1']);
  t.same(pod({ status: { podIP: '10.0.0.1' } }).addresses, ['10.0.0.1']);
  t.same(pod({}).addresses, []);
});

t.test('rule 15: a pod in phase Succeeded or Failed owns no address', async (t) => {
  for (const phase of ['Succeeded', 'Failed']) {
    const terminated = (finishedAt: string) => ({ state: { terminated: { finishedAt } } });
    const containerStatuses = [terminated('2026-01-01T00:00:09Z'), terminated('2026-01-01T00:00:07Z')];
    const read = pod({ status: { phase, podIP: '10.0.0.1', containerStatuses } });
    t.same(read.addresses, []);
    t.equal(read.endedUs, Date.UTC(2026, 0, 1, 0, 0, 9) * 1000);
  }
});

t.test('a pod that ended at an unknown time has ended: an evicted pod has no containers left', async (t) => {
  for (const phase of ['Succeeded', 'Failed']) {
    const startTime = '2026-01-01T00:00:02Z';
    const evicted = pod({ status: { phase, startTime, reason: 'Evicted' } });
    t.match(evicted, { ended: true, endedUs: 0 });
    t.ok(hasEnded(evicted));
  }
  t.notOk(hasEnded(pod({ status: { phase: 'Running' } })));
  t.notOk(hasEnded(pod({})));
});

t.test('rule 15: a terminating pod still owns its address', async (t) => {
  const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  t.same(pod({ metadata, status: { phase: 'Running', podIP: '10.0.0.1' } }).addresses, ['10.0.0.1']);
});

t.test('the ports of a pod are those of its containers and sidecars, not of other init containers', async (t) => {
  const read = pod({
    spec: {
      containers: [
        {
          ports: [
            { name: 'http', containerPort: 8080 },
            { containerPort: 53, protocol: 'UDP' },
          ],
        },
        {},
      ],
      initContainers: [
        { restartPolicy: 'Always', ports: [{ name: 'proxy', containerPort: 15001 }] },
        { ports: [{ name: 'setup', containerPort: 9 }] },
      ],
    },
  });
  t.same(read.ports, [
    { name: 'http', port: 8080, protocol: 6 },
    { name: '', port: 53, protocol: 17 },
    { name: 'proxy', port: 15001, protocol: 6 },
  ]);
});

t.test('a pod is shown as its workload: the Deployment of a ReplicaSet, the CronJob of a Job', async (t) => {
  t.same(owned('ReplicaSet', 'web-6d4f', { 'pod-template-hash': '6d4f' }), { kind: 'Deployment', name: 'web' });
  t.same(owned('ReplicaSet', 'web-6d4f', { 'rollouts-pod-template-hash': '6d4f' }), { kind: 'Rollout', name: 'web' });
  t.same(owned('ReplicaSet', 'web'), { kind: 'ReplicaSet', name: 'web' });
  t.same(owned('ReplicaSet', 'web-1', { 'pod-template-hash': '6d4f' }), { kind: 'ReplicaSet', name: 'web-1' });
  t.same(owned('Job', 'backup-29112345'), { kind: 'CronJob', name: 'backup' });
  t.same(owned('Job', 'backup'), { kind: 'Job', name: 'backup' });
  t.same(owned('Job', 'report-20260131'), { kind: 'Job', name: 'report-20260131' }, 'a date is not a CronJob time');
  t.same(owned('StatefulSet', 'db'), { kind: 'StatefulSet', name: 'db' });
  t.same(owned('Rollout', 'web'), { kind: 'Rollout', name: 'web' });
  const label = { deploymentconfig: 'web' };
  t.same(owned('ReplicationController', 'web-12', label), { kind: 'DeploymentConfig', name: 'web' });
  t.same(owned('ReplicationController', 'web-x', label), { kind: 'ReplicationController', name: 'web-x' });
  t.same(owned('ReplicationController', 'web-12'), { kind: 'ReplicationController', name: 'web-12' });
});

t.test('a pod without an owner, and a static pod, is its own workload', async (t) => {
  t.same(pod().workload, { kind: 'Pod', name: 'web-1' });
  t.same(owned('Node', 'n1'), { kind: 'Pod', name: 'web-1' });
});

t.test('the owner of a pod is its controller, not the first owner reference', async (t) => {
  const ownerReferences = [
    { kind: 'Machine', name: 'm' },
    { kind: 'DaemonSet', name: 'agent', controller: true },
  ];
  t.same(pod({ metadata: { ownerReferences } }).workload, { kind: 'DaemonSet', name: 'agent' });
});

const faults: [string, Record<string, unknown>, string][] = [
  [
    'an invalid address',
    { status: { podIP: '10.0.0.256' } },
    'bad-address: Pod shop/web-1 (status.podIP): invalid IP address "10.0.0.256"; write an IPv4 or IPv6 address',
  ],
  [
    'an invalid time',
    { status: { startTime: 'yesterday' } },
    'bad-time: Pod shop/web-1 (status.startTime): invalid time "yesterday"; use the form 2026-01-31T12:00:00Z',
  ],
  [
    'a container port out of range',
    { spec: { containers: [{ ports: [{ containerPort: 70000 }] }] } },
    'bad-port: Pod shop/web-1 (spec.containers[0].ports[0].containerPort): containerPort 70000 is out of range; set a port number from 1 to 65535',
  ],
  [
    'a container port without number',
    { spec: { containers: [{ ports: [{ name: 'http' }] }] } },
    'missing-field: Pod shop/web-1 (spec.containers[0].ports[0].containerPort): containerPort is missing; set containerPort',
  ],
  [
    'hostNetwork as a string',
    { spec: { hostNetwork: 'yes' } },
    'wrong-type: Pod shop/web-1 (spec.hostNetwork): "yes" is not true or false; write true or false',
  ],
];

for (const [name, rest, line] of faults) {
  t.test(`a pod with ${name} is reported and not read`, async (t) => {
    t.same(problemsOf(raw('Pod', 'shop/web-1', rest)), [line]);
    t.throws(() => pod(rest));
  });
}

t.test('a pod without a valid name is reported', async (t) => {
  t.same(problemsOf({ apiVersion: 'v1', kind: 'Pod', metadata: {} }), [
    'missing-field: Pod default/(no name) (metadata.name): name is missing; set name',
  ]);
  t.same(problemsOf(raw('Pod', 'shop/a b')), [
    'bad-name: Pod shop/(no name) (metadata.name): invalid name "a b"; use at most 253 lower-case letters, digits, - and ., with a letter or digit at both ends',
  ]);
});
