// The status lists pods that no agent can watch, such as those on macvlan, ipvlan or SR-IOV.
import t from 'tap';
import { statusOf } from '../../collector/status.ts';
import { status } from '../scene/api.ts';
import { podManifest, Scene, shop } from '../scene/pipeline.ts';
import { db, web } from '../scene/records.ts';

const secondNetwork = '10.77.0.9';
const hardware = podManifest('hardware', 'n1', '10.0.1.9');
const twoNetworks = podManifest('two', 'n1', '10.0.1.8').replace(
  'uid: uid-two,',
  `uid: uid-two, annotations: { k8s.v1.cni.cncf.io/network-status: '[{"name":"a","interface":"eth0","ips":["10.0.1.8"],"default":true},{"name":"b","interface":"net1","ips":["${secondNetwork}"]}]' },`,
);
const onHost = podManifest('host', 'n1', '192.0.2.1', ', hostNetwork: true');

function podsNotWatched(scene: Scene): Record<string, readonly string[] | undefined> {
  const { nodes } = statusOf({
    ...{ version: '', startedUs: 0, nowUs: scene.nowUs, cluster: scene.cluster, problems: [], agents: scene.agents },
    ...{ streamsRefused: 0, pipeline: scene.pipeline.counts, store: status.store, series: null },
  } as Parameters<typeof statusOf>[0]);
  return Object.fromEntries(nodes.list.map((one) => [one.node, one.podsNotWatched]));
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
