// The kernel's own counters at the host side of the pods' interfaces (/sys/class/net), to compare with the agent's packet
// accounting.

import { nodeNamespace, podLink } from '../system/names.ts';
import { run } from '../system/run.ts';
import { type LabWorld, podsOn } from './node.ts';

/** The sum of both directions over all pod interfaces of the node. */
export async function kernelCounter(world: LabWorld, node: string, unit: 'packets' | 'bytes'): Promise<number> {
  const files = podsOn(node, world.cluster).flatMap((pod) =>
    ['rx', 'tx'].map((direction) => `/sys/class/net/${podLink(pod)}/statistics/${direction}_${unit}`),
  );
  // `ip netns exec` mounts the namespace's own /sys.
  const output = await run('ip', ['netns', 'exec', nodeNamespace(world.id, node), 'cat', ...files]);
  return output
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line), 0);
}
