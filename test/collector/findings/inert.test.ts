import t from 'tap';
import { inertFindings } from '../../../collector/findings/inert.ts';
import { app, policy } from '../../scene/cluster.ts';
import { parsed } from '../../scene/objects.ts';
import { t0 } from '../../scene/records.ts';

t.test('a policy that selects by a label that a controller adds is not inert', async (t) => {
  const metadata = { name: 'kafka', namespace: 'shop' };
  const template = { metadata: { labels: { app: 'kafka' } }, spec: { containers: [{ name: 'kafka' }] } };
  const kafka = parsed('Workload', {
    ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata },
    spec: { replicas: 2, template },
  });
  const labelsOf = () => ({});
  const inert = (podSelector: object) => {
    const policies = [policy('shop/kafka', { podSelector })];
    return inertFindings({ policies, labelsOf, pods: [], workloads: [kafka] }, t0).length;
  };
  const named = (name: string) => ({ matchLabels: { 'statefulset.kubernetes.io/pod-name': name } });
  t.equal(inert(named('kafka-1')), 0);
  t.equal(inert(named('kafka-2')), 1, 'there are two');
  t.equal(inert({ matchLabels: { 'controller-revision-hash': 'kafka-5d4c' } }), 0, 'the value is not known');
  t.equal(inert({ matchLabels: { 'controller-revision-hash': 'other-5d4c' } }), 1, 'the beginning is known');
  t.equal(inert(app('kafka')), 0);
  t.equal(inert(app('zookeeper')), 1);
});
