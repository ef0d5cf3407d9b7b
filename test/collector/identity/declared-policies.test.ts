import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../../cluster/clock.ts';
import { manifestSource } from '../../../cluster/manifests/watch.ts';
import { ClusterHistory } from '../../../collector/identity/cluster-history.ts';
import { DeclaredPolicies, type JudgeBy } from '../../../collector/identity/declared-policies.ts';
import type { Policy } from '../../../model/kubernetes.ts';
import { policy } from '../../scene/cluster.ts';
import { folderFor } from '../../scene/file-read.ts';
import { ingressPolicy, podManifest } from '../../scene/pipeline.ts';
import { until } from '../../scene/until.ts';

const ofCluster = policy('shop/of-cluster', { podSelector: {} });
const names = (policies: Iterable<Policy>) => [...policies].map(({ name }) => name).sort();

async function started(t: Test, judgeBy: JudgeBy) {
  const folder = folderFor(t);
  writeFileSync(
    join(folder, 'db.yaml'),
    `${ingressPolicy('db', 'web')}\n---\n${podManifest('stray', 'n1', '10.0.1.9')}`,
  );
  writeFileSync(join(folder, 'broken.yaml'), ingressPolicy('web', '').replace('[Ingress]', '[Sideways]'));
  const cluster = new ClusterHistory();
  const declared = new DeclaredPolicies(manifestSource(folder, systemClock), judgeBy, cluster);
  const problems: string[] = [];
  t.teardown(() => declared.stop());
  await declared.start((event) => event.type === 'problem' && problems.push(event.problem.code));
  declared.receiveFromCluster({ type: 'put', object: ofCluster, atUs: 1 });
  declared.receiveFromCluster({ type: 'synced', atUs: 1 });
  return { folder, cluster, declared, problems };
}

type Test = Parameters<typeof folderFor>[0] & { teardown(run: () => Promise<void>): void };

t.test('both: declared policies are compared with those of the cluster, and other objects are ignored', async (t) => {
  const { cluster, declared, problems } = await started(t, 'both');
  t.same(names(cluster.policies.all), ['of-cluster']);
  t.same(names(declared.comparedPolicies!.all), ['db', 'web']);
  t.equal(declared.comparedPolicies!.at(0).byNamespace.size, 1);
  t.same(cluster.livePods(), []);
  t.same(problems, ['unknown-policy-type'], 'a broken policy is reported');
});

t.test('declared: the declared policies replace those of the cluster', async (t) => {
  const { cluster, declared } = await started(t, 'declared');
  t.same(names(cluster.policies.all), ['db', 'web']);
  t.equal(declared.comparedPolicies, undefined);
});

t.test('changes in the folder are followed', async (t) => {
  const { folder, declared } = await started(t, 'both');
  writeFileSync(join(folder, 'more.yaml'), ingressPolicy('more', ''));
  rmSync(join(folder, 'broken.yaml'));
  await until('both files are read', () => names(declared.comparedPolicies!.all).join() === 'db,more');
  t.pass();
});

t.test('without declared policies, only those of the cluster count', async (t) => {
  const cluster = new ClusterHistory();
  const declared = new DeclaredPolicies(undefined, 'both', cluster);
  await declared.start(() => t.fail('a problem was reported'));
  declared.receiveFromCluster({ type: 'put', object: ofCluster, atUs: 1 });
  t.same(names(cluster.policies.all), ['of-cluster']);
  t.equal(declared.comparedPolicies, undefined);
  await declared.stop();
});
