// What the status says of nodes and their pods. Pods on macvlan, ipvlan or SR-IOV cannot be watched by an agent.
import t from 'tap';
import type { NodeStatus } from '../../collector/api/api.ts';
import { statusOf } from '../../collector/status.ts';
import { timeText } from '../../model/json.ts';
import { status } from '../scene/api.ts';
import { podManifest, Scene, shop } from '../scene/pipeline.ts';
import { db, second, t0, web } from '../scene/records.ts';

const secondNetwork = '10.77.0.9';
const hardware = podManifest('hardware', 'n1', '10.0.1.9');
const twoNetworks = podManifest('two', 'n1', '10.0.1.8').replace(
  'uid: uid-two,',
  `uid: uid-two, annotations: { k8s.v1.cni.cncf.io/network-status: '[{"name":"a","interface":"eth0","ips":["10.0.1.8"],"default":true},{"name":"b","interface":"net1","ips":["${secondNetwork}"]}]' },`,
);
const onHost = podManifest('host', 'n1', '192.0.2.1', ', hostNetwork: true');

function nodesOf(scene: Scene): readonly NodeStatus[] {
  const { nodes } = statusOf({
    ...{ version: '', startedUs: 0, nowUs: scene.nowUs, cluster: scene.cluster, problems: [], agents: scene.agents },
    ...{ streamsRefused: 0, pipeline: scene.pipeline.counts, store: status.store, series: null },
  } as Parameters<typeof statusOf>[0]);
  return nodes.list;
}

function podsNotWatched(scene: Scene): Record<string, readonly string[] | undefined> {
  return Object.fromEntries(nodesOf(scene).map((one) => [one.node, one.podsNotWatched]));
}

t.test('pods without a watched interface are listed by node, and so are addresses of another interface', async (t) => {
  const scene = new Scene([shop, hardware, twoNetworks, onHost].join('\n---\n'));
  scene.report('n1', [
    { index: 7, podUid: 'uid-web', addresses: [web] },
    { index: 8, podUid: 'uid-two', addresses: ['10.0.1.8'] },
  ]);
  scene.report('n2', [{ index: 9, addresses: [db] }]);
  t.same(podsNotWatched(scene), { n1: ['shop/hardware', `shop/two ${secondNetwork}`], n2: [] });
});

t.test('of a node without an agent nothing is known', async (t) => {
  t.same(podsNotWatched(new Scene(shop)), { n1: undefined, n2: undefined });
});

t.test('a node whose agent reported only before a restart of the collector is away since then', async (t) => {
  const scene = new Scene(shop);
  const run = { node: 'n1', instance: 'one', watchingSinceUs: t0 - 60 * second, coveredUntilUs: t0, stopped: false };
  scene.agents.runs.restore([run]);
  t.match(nodesOf(scene), [
    { node: 'n1', agent: 'away', lastHeard: timeText(t0) },
    { node: 'n2', agent: 'missing', lastHeard: undefined },
  ]);
});
