// Pods to which the node redirects packets from its uplink: a TC program passes them straight to the pod's end of the veth
// pair, past the host's end.
import { addressWords, compile } from '../system/bpf/compile.ts';
import { nodeNamespace, podLink, podNamespace } from '../system/names.ts';
import { applyInside } from './apply.ts';
import { linkIn } from './links.ts';
import type { LabWorld } from './node.ts';

const uplink = 'eth0';

/** The links must exist. `folder`: for the compiled programs. */
export async function redirect(world: LabWorld, folder: string): Promise<void> {
  const { cluster, topology, id } = world;
  for (const node of cluster.nodes) {
    const commands: string[] = [];
    for (const pod of cluster.pods) {
      const isWanted = topology.redirected.some((one) => one.namespace === pod.namespace && one.name === pod.name);
      if (!isWanted || pod.node !== node.name) continue;
      const [{ index }, { mac }] = await Promise.all([
        linkIn(nodeNamespace(id, node.name), podLink(pod)),
        linkIn(podNamespace(id, pod), 'eth0'),
      ]);
      const { ipv4, ipv6 } = addressWords(pod.addresses);
      const bytes = mac.split(':').map((byte) => `0x${byte}`);
      const defines = { IFINDEX: index, MAC: bytes.join(','), TO4: ipv4, TO6: ipv6 };
      const object = await compile('redirect', defines, folder, podLink(pod));
      commands.push(`tc filter add dev ${uplink} ingress bpf direct-action object-file ${object} section tc`);
    }
    if (commands.length === 0) continue;
    const after = [`tc qdisc add dev ${uplink} clsact`, ...commands];
    await applyInside({ namespace: nodeNamespace(id, node.name), settings: [], ip: [], bridge: [], nft: [], after });
  }
}
