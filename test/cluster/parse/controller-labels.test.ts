import t from 'tap';
import { templatePods, type Workload } from '../../../model/kubernetes.ts';
import { parsed } from '../../scene/objects.ts';

const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web' }] } };

type Given = { spec?: object; metadata?: object };

/** `kind` has the API group and version. */
function workload(kind: string, { spec = {}, metadata = { name: 'web' } }: Given = {}): Workload {
  const [name, ...apiVersion] = kind.split(' ');
  const object = { kind: name, apiVersion: apiVersion.join(''), metadata: { namespace: 'shop', ...metadata } };
  return parsed('Workload', { ...object, spec: { template, ...spec } });
}

function podsOf(kind: string, given?: Given): [string, Record<string, string>][] {
  return templatePods(workload(kind, given)).map(({ name, labels }) => [name, { ...labels }]);
}

t.test('the pods of a StatefulSet have their names and indexes as labels', async (t) => {
  const labels = (at: number) => ({
    app: 'web',
    'controller-revision-hash': 'web-?',
    'statefulset.kubernetes.io/pod-name': `web-${at}`,
    'apps.kubernetes.io/pod-index': `${at}`,
  });
  const pod = (at: number) => [`web-${at}`, labels(at)];
  for (const api of ['apps/v1', 'apps.kruise.io/v1beta1']) {
    const kind = `StatefulSet ${api}`;
    t.same(podsOf(kind, { spec: { replicas: 2 } }), [pod(0), pod(1)], api);
    t.same(podsOf(kind, { spec: { replicas: 1, ordinals: { start: 3 } } }), [pod(3)], api);
    t.same(podsOf(kind), [pod(0)], 'the default is 1');
  }
});

t.test('a StatefulSet with no pods now, or with very many, has one pod whose name is not known', async (t) => {
  for (const replicas of [0, 1001, 2 ** 40]) {
    t.same(podsOf('StatefulSet apps/v1', { spec: { replicas } }), [
      [
        'StatefulSet/web',
        {
          app: 'web',
          'controller-revision-hash': 'web-?',
          'statefulset.kubernetes.io/pod-name': 'web-?',
          'apps.kubernetes.io/pod-index': '?',
        },
      ],
    ]);
  }
  t.equal(podsOf('StatefulSet apps/v1', { spec: { replicas: 1000 } }).length, 1000);
});

t.test('OpenKruise leaves out reserved indexes; ranges of them are not known', async (t) => {
  const names = (reserveOrdinals: unknown) => {
    const spec = { replicas: 2, ordinals: { start: 1 }, reserveOrdinals };
    return podsOf('StatefulSet apps.kruise.io/v1beta1', { spec }).map(([name]) => name);
  };
  t.same(names([0, 2, 3]), ['web-1', 'web-4']);
  t.same(names([]), ['web-1', 'web-2']);
  t.same(names(['2-3']), ['StatefulSet/web']);
});

t.test('the pods of a Job have its name, and those of an indexed Job their index', async (t) => {
  const ofJob = {
    app: 'web',
    'job-name': 'web',
    'batch.kubernetes.io/job-name': 'web',
    'controller-uid': '?',
    'batch.kubernetes.io/controller-uid': '?',
  };
  t.same(podsOf('Job batch/v1'), [['Job/web', ofJob]]);
  const index = 'batch.kubernetes.io/job-completion-index';
  t.same(podsOf('Job batch/v1', { spec: { completionMode: 'Indexed', completions: 2 } }), [
    ['Job/web index 0', { ...ofJob, [index]: '0' }],
    ['Job/web index 1', { ...ofJob, [index]: '1' }],
  ]);
  t.same(podsOf('Job batch/v1', { spec: { completionMode: 'Indexed' } })[0]![1][index], '?');
  t.same(podsOf('Job batch/v1', { spec: { completionMode: 'NonIndexed', completions: 2 } }).length, 1);
  t.same(podsOf('Job batch/v1', { spec: { manualSelector: true } }), [['Job/web', { app: 'web' }]]);
});

t.test('the name of a Job that the API server or a CronJob chooses has only a known beginning', async (t) => {
  const generated = workload('Job batch/v1', { metadata: { generateName: 'load-' } });
  t.equal(generated.labels['job-name'], 'load-?');
  const jobTemplate = { spec: { template } };
  t.equal(workload('CronJob batch/v1', { spec: { jobTemplate } }).labels['batch.kubernetes.io/job-name'], 'web-?');
  const indexed = { spec: { template, completionMode: 'Indexed', completions: 1 } };
  t.same(
    podsOf('CronJob batch/v1', { spec: { jobTemplate: indexed } }).map(([name]) => name),
    ['CronJob/web index 0'],
  );
});

t.test('other controllers add hashes and names', async (t) => {
  const added = (kind: string, given?: Given) => {
    const { app, ...labels } = workload(kind, given).labels;
    return labels;
  };
  t.same(added('Deployment apps/v1'), { 'pod-template-hash': '?' });
  t.same(added('ReplicaSet apps/v1'), {}, 'a ReplicaSet of nobody');
  const ownedBy = (kind: string) => ({ metadata: { name: 'web-1', ownerReferences: [{ kind, name: 'web' }] } });
  t.same(added('ReplicaSet apps/v1', ownedBy('Deployment')), { 'pod-template-hash': '?' });
  t.same(added('ReplicaSet apps/v1', ownedBy('Rollout')), { 'rollouts-pod-template-hash': '?' });
  t.same(added('DaemonSet apps/v1'), { 'controller-revision-hash': '?', 'pod-template-generation': '?' });
  t.same(added('Rollout argoproj.io/v1alpha1'), { 'rollouts-pod-template-hash': '?' });
  t.same(added('DeploymentConfig apps.openshift.io/v1'), { deploymentconfig: 'web', deployment: 'web-?' });
  t.match(added('CloneSet apps.kruise.io/v1alpha1'), { 'apps.kruise.io/cloneset-instance-id': '?' });
  t.match(added('Service serving.knative.dev/v1'), { 'serving.knative.dev/service': 'web' });
  t.same(added('Shard example.com/v1'), {}, 'an unknown controller');
  t.same(added('ReplicationController v1'), {});
});

t.test('a label in the template keeps its value, except one that each pod has for itself', async (t) => {
  const labels = {
    'pod-template-hash': '6b7f9c4d8',
    'job-name': 'other',
    'statefulset.kubernetes.io/pod-name': 'other',
    app: 'own',
  };
  const spec = { template: { ...template, metadata: { labels } } };
  t.equal(workload('Deployment apps/v1', { spec }).labels['pod-template-hash'], '6b7f9c4d8');
  t.equal(workload('Job batch/v1', { spec }).labels['job-name'], 'other');
  t.equal(workload('Service serving.knative.dev/v1', { spec }).labels.app, 'own');
  const [, own] = podsOf('StatefulSet apps/v1', { spec })[0]!;
  t.equal(own['statefulset.kubernetes.io/pod-name'], 'web-0');
});

t.test('replicas, completions and ordinals of a wrong type count as missing', async (t) => {
  const spec = { replicas: '3', ordinals: { start: -1 }, completions: 1.5 };
  t.same(
    podsOf('StatefulSet apps/v1', { spec }).map(([name]) => name),
    ['web-0'],
  );
  t.same(podsOf('Job batch/v1', { spec: { ...spec, completionMode: 'Indexed' } }).length, 1);
});
