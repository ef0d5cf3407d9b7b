import t from 'tap';
import { customResourceOf } from '../../cluster/parse/custom-resource.ts';
import { maySelectOperatorPods } from '../../lint/operator-pods.ts';

const kafka = { group: 'kafka.strimzi.io', namespace: 'shop', name: 'orders' };

function asked(
  key: string,
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist',
  values: string[],
  namespace = 'shop',
) {
  const podSelector = [{ key, operator, values }];
  return maySelectOperatorPods({ namespace, namespaceSelector: [], podSelector }, [kafka]);
}

t.test('a selector may be meant for pods of an operator by the domain of its key, or by the instance', async (t) => {
  t.ok(asked('strimzi.io/cluster', 'In', ['orders']));
  t.ok(asked('strimzi.io/cluster', 'Exists', []));
  t.ok(asked('app.kubernetes.io/instance', 'In', ['other', 'orders']));
  t.notOk(asked('app.kubernetes.io/instance', 'In', ['other']), 'another instance');
  t.notOk(asked('app.kubernetes.io/name', 'In', ['orders']), 'another label');
  t.notOk(asked('app', 'In', ['orders']), 'no domain');
  t.notOk(asked('strimzi.io/cluster', 'DoesNotExist', []), 'pods without the label');
  t.notOk(asked('strimzi.io/cluster', 'In', ['orders'], 'other'), 'another namespace');
  const everywhere = [{ ...kafka, namespace: '' }];
  const podSelector = [{ key: 'strimzi.io/cluster', operator: 'Exists' as const, values: [] }];
  t.ok(maySelectOperatorPods({ namespace: 'other', namespaceSelector: [], podSelector }, everywhere));
  t.ok(maySelectOperatorPods({ namespaceSelector: [], podSelector }, [kafka]), 'a cluster policy');
});

t.test('a selector may be meant for pods with the labels of a template without containers', async (t) => {
  const metadata = { name: 'vm', namespace: 'shop' };
  const template = { metadata: { labels: { app: 'vm' } }, spec: { domain: {} } };
  const kubevirt = (kind: string, spec: object, rest: object = {}) =>
    customResourceOf({ apiVersion: 'kubevirt.io/v1', kind, metadata: { ...metadata, ...rest }, spec })!;
  const machine = kubevirt('VirtualMachine', { template });
  const instance = kubevirt('VirtualMachineInstance', {}, { labels: { app: 'vm' } });
  const pool = kubevirt('VirtualMachinePool', { virtualMachineTemplate: { spec: { template } } });
  const selects = (key: string, operator: 'In' | 'NotIn' | 'Exists', values: string[], of = machine) =>
    maySelectOperatorPods({ namespace: 'shop', namespaceSelector: [], podSelector: [{ key, operator, values }] }, [of]);
  for (const one of [machine, instance, pool]) t.ok(selects('app', 'In', ['vm'], one));
  t.ok(selects('app', 'Exists', []));
  t.notOk(selects('app', 'In', ['web']), 'another value');
  t.notOk(selects('tier', 'In', ['vm']), 'another label');
  t.notOk(selects('app', 'NotIn', ['web']), 'no label is required');
  const labelled = kubevirt('VirtualMachine', {}, { labels: { app: 'vm' } });
  t.notOk(selects('app', 'In', ['vm'], labelled), 'labels of the machine are not those of its pod');
  t.notOk(selects('app', 'In', ['vm'], kubevirt('VirtualMachine', { template: 7 })), 'no template');
});

t.test('projects of Kubernetes share a domain, so their own name counts', async (t) => {
  const asked = (group: string, key: string) => {
    const podSelector = [{ key, operator: 'Exists' as const, values: [] }];
    return maySelectOperatorPods({ namespaceSelector: [], podSelector }, [{ group, namespace: '', name: 'a' }]);
  };
  t.ok(asked('jobset.x-k8s.io', 'jobset.sigs.k8s.io/jobset-name'));
  t.ok(asked('gateway.networking.k8s.io', 'gateway.networking.k8s.io/gateway-name'));
  t.notOk(asked('snapshot.storage.k8s.io', 'jobset.sigs.k8s.io/jobset-name'));
  t.ok(asked('elasticsearch.k8s.elastic.co', 'common.k8s.elastic.co/type'));
});

t.test('a custom resource is an object of an API group that is not of Kubernetes itself', async (t) => {
  const of = (apiVersion: unknown, metadata: unknown = { name: 'orders', namespace: 'shop' }) => {
    return customResourceOf({ apiVersion, kind: 'Kafka', metadata });
  };
  t.same(of('kafka.strimzi.io/v1beta2'), kafka);
  t.same(of('kafka.strimzi.io/v1beta2', { name: 'orders' }), { ...kafka, namespace: '' });
  t.ok(of('gateway.networking.k8s.io/v1'));
  for (const apiVersion of ['v1', 'apps/v1', 'rbac.authorization.k8s.io/v1', 'networking.k8s.io/v1', 7, undefined]) {
    t.equal(of(apiVersion), undefined, `${apiVersion}`);
  }
  t.equal(of('kafka.strimzi.io/v1', null), undefined);
  t.equal(of('kafka.strimzi.io/v1', { name: 7 }), undefined);
  t.equal(customResourceOf('text'), undefined);
});
