// Pods of a Deployment's manifests have no node: it is not known whether their connections leave it.
import t from 'tap';
import { pcapFile } from '../scene/captures.ts';
import { ingressPolicy, shop } from '../scene/pipeline.ts';
import { bypass, replayScene, run } from '../scene/replay.ts';

t.test(
  'a connection is unplaced if a pod at one of its ends has no nodeName, and cross-node if both have one',
  async (t) => {
    const { some, file } = replayScene(t, pcapFile(bypass()));
    const placementWith = async (manifests: string) => {
      const cluster = file('manifests.yaml', `${manifests}---${ingressPolicy('db', '')}`);
      return JSON.parse((await run(some, '--cluster', cluster, '-o', 'jsonl')).out).placement;
    };
    t.equal(await placementWith(shop), 'cross-node');
    t.equal(await placementWith(shop.replace('nodeName: n2, ', '')), 'unplaced');
    t.equal(await placementWith(shop.replace('nodeName: n1, ', '')), 'unplaced');
    t.equal(await placementWith(shop.replaceAll(/nodeName: n\d, /g, '')), 'unplaced');
  },
);
