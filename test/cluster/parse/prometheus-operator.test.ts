import t from 'tap';
import { parseObject } from '../../../cluster/parse/parse.ts';
import { templatePods, type Workload } from '../../../model/kubernetes.ts';
import { TCP } from '../../../model/protocol.ts';
import { parsed } from '../../scene/objects.ts';

function workload(kind: string, spec: object = {}): Workload {
  const metadata = { name: 'main', namespace: 'mon' };
  return parsed('Workload', { apiVersion: 'monitoring.coreos.com/v1', kind, metadata, spec });
}

const namesOf = (one: Workload) => templatePods(one).map(({ name }) => name);

t.test('the operator makes a StatefulSet of each resource, by rule', async (t) => {
  const rules = [
    ['Prometheus', 'prometheus-main', { 'app.kubernetes.io/name': 'prometheus', prometheus: 'main' }],
    ['PrometheusAgent', 'prom-agent-main', { 'app.kubernetes.io/name': 'prometheus-agent' }],
    ['Alertmanager', 'alertmanager-main', { 'app.kubernetes.io/name': 'alertmanager', alertmanager: 'main' }],
    ['ThanosRuler', 'thanos-ruler-main', { 'app.kubernetes.io/name': 'thanos-ruler', 'thanos-ruler': 'main' }],
  ] as const;
  for (const [kind, name, labels] of rules) {
    const one = workload(kind, { replicas: 2 });
    t.same(one.workload, { kind: 'StatefulSet', name }, kind);
    t.same(one.owned, { kind, retired: false });
    t.same(namesOf(one), [`${name}-0`, `${name}-1`]);
    t.match(templatePods(one)[1]!.labels, {
      ...labels,
      'app.kubernetes.io/instance': 'main',
      'app.kubernetes.io/managed-by': 'prometheus-operator',
      'app.kubernetes.io/version': '?',
      'statefulset.kubernetes.io/pod-name': `${name}-1`,
      'controller-revision-hash': `${name}-?`,
    });
    t.ok(one.ports.some(({ name: port, protocol }) => port === 'web' && protocol === TCP));
  }
});

t.test('each shard of a Prometheus is a StatefulSet, with its number as a label', async (t) => {
  const one = workload('Prometheus', { replicas: 2, shards: 2 });
  t.same(namesOf(one), [
    'prometheus-main-0',
    'prometheus-main-1',
    'prometheus-main-shard-1-0',
    'prometheus-main-shard-1-1',
  ]);
  const shards = templatePods(one).map(({ labels }) => labels['operator.prometheus.io/shard']);
  t.same(shards, ['0', '0', '1', '1']);
  const many = workload('Prometheus', { shards: 1000 });
  t.same(
    templatePods(many).map(({ labels }) => labels['operator.prometheus.io/shard']),
    ['?'],
  );
  t.same(namesOf(workload('Prometheus', { replicas: 0 })), ['Prometheus/main'], 'none now');
});

t.test('labels, ports, containers and the host network of the resource count', async (t) => {
  const one = workload('Prometheus', {
    podMetadata: { labels: { team: 'ops', prometheus: 'other' } },
    portName: 'http-web',
    hostNetwork: true,
    thanos: {},
    containers: [{ name: 'proxy', ports: [{ name: 'proxy', containerPort: 9091 }] }],
  });
  t.match(templatePods(one)[0]!.labels, { team: 'ops', prometheus: 'main' }, 'the operator sets its own labels');
  t.equal(one.hostNetwork, true);
  t.same(
    one.ports.map(({ name, port }) => `${name} ${port}`),
    ['http-web 9090', 'reloader-web 8080', 'http 10902', 'grpc 10901', 'proxy 9091'],
  );
  t.notOk(workload('Alertmanager', { listenLocal: true }).ports.some(({ name }) => name === 'web'));
});

t.test('an agent may be a DaemonSet', async (t) => {
  const one = workload('PrometheusAgent', { mode: 'DaemonSet' });
  t.same(one.workload, { kind: 'DaemonSet', name: 'prom-agent-main' });
  t.same(namesOf(one), ['PrometheusAgent/main']);
  t.equal(one.labels['operator.prometheus.io/shard'], undefined);
});

t.test('other kinds of the operator, and the same kinds of other APIs, have no pods', async (t) => {
  const metadata = { name: 'main', namespace: 'mon' };
  const read = (apiVersion: string, kind: string) => parseObject({ apiVersion, kind, metadata, spec: {} }).is;
  t.equal(read('monitoring.coreos.com/v1', 'ServiceMonitor'), 'not-ours');
  t.equal(read('monitoring.coreos.com/v1', 'constructor'), 'not-ours');
  t.equal(read('example.com/v1', 'Prometheus'), 'not-ours');
});
