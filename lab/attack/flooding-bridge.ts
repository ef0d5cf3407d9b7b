// A bridge with an empty forwarding table sends every frame to every pod of its node: a packet that another pod’s interface
// shows is not delivered to that pod, and says nothing of the one that it was for.
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeNamespace } from '../system/names.ts';
import { run } from '../system/run.ts';
import type { Attack } from './attack.ts';

const observedMs = 8_000;

export const floodingBridge: Attack = {
  name: 'bridge that floods',
  does: 'lets the bridge of each node send every frame to all pods, while a filter drops packets to one of them',
  async run({ network }) {
    for (const { name } of network.world.cluster.nodes) {
      await run('ip', [
        '-n',
        nodeNamespace(network.id, name),
        'link',
        'set',
        'cni0',
        'type',
        'bridge',
        'ageing_time',
        '0',
      ]);
    }
    await sleep(observedMs);
    // The check of the honest traffic is the check: the probe’s packets are dropped at the vault, and flooded to others.
    return async () => [];
  },
};
