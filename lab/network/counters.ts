// What the kernel itself counted at the host side of the pods' interfaces (/sys/class/net), to hold the books against.
import { run } from '../run.ts';
import { nodeNamespace, podLink } from './names.ts';
import { type LabWorld, podsOn } from './node.ts';

/** In both directions through all pod interfaces of the node. */
export async function kernelCounted(world: LabWorld, node: string, what: 'packets' | 'bytes'): Promise<number> {
  const files = podsOn(node, world.cluster).flatMap((pod) =>
    ['rx', 'tx'].map((way) => `/sys/class/net/${podLink(pod)}/statistics/${way}_${what}`),
  );
  // `ip netns exec` mounts the namespace's own /sys.
  const shown = await run('ip', ['netns', 'exec', nodeNamespace(world.id, node), 'cat', ...files]);
  return shown
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line), 0);
}
