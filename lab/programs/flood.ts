// Many small packets from a pod, by trafgen: each from another port, so that there are many connections as well.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Address } from '../../model/address.ts';
import { isIpv6 } from '../../model/address.ts';
import type { ClusterNetwork } from '../cluster-network.ts';
import { nodeNamespace, podLink, podNamespace } from '../network/names.ts';
import { run } from '../run.ts';

export type Flood = {
  from: { namespace: string; name: string };
  source: Address;
  destination: Address;
  port: number;
  packets: number;
  /** Between two packets; 0: as fast as they go. */
  gapUs: number;
  /** So many ports of the sender in turn; any by chance where it is not said. */
  sourcePorts?: number;
};

const firstPort = 1024;

/** Resolves when all were sent. */
export async function flood(network: ClusterNetwork, wanted: Flood): Promise<void> {
  const { id, cluster } = network.world;
  const pod = cluster.pods.find(
    ({ namespace, name }) => namespace === wanted.from.namespace && name === wanted.from.name,
  )!;
  const own = await hardwareAddress(podNamespace(id, pod), 'eth0');
  const gateway = await hardwareAddress(nodeNamespace(id, pod.node), podLink(pod));
  const addresses = `sa=${wanted.source}, da=${wanted.destination}`;
  const file = join(network.folder, `flood-${pod.name}.trafgen`);
  const sourcePort =
    wanted.sourcePorts === undefined
      ? 'drnd(1024, 65535)'
      : `dinc(${firstPort}, ${firstPort + wanted.sourcePorts - 1}, 1)`;
  await writeFile(
    file,
    `{ eth(da=${gateway}, sa=${own})
       ${isIpv6(wanted.source) ? `ipv6(${addresses}, hl=64)` : `ipv4(${addresses}, ttl=64)`}
       udp(sp=${sourcePort}, dp=${wanted.port})
       fill('w', 18) }\n`,
  );
  const gap = wanted.gapUs === 0 ? [] : ['-t', `${wanted.gapUs}us`];
  const sent = ['-c', file, '-o', 'eth0', '-n', String(wanted.packets), '--cpus', '1', '--no-sock-mem', '-q', ...gap];
  await run('nsenter', [`--net=/run/netns/${podNamespace(id, pod)}`, 'trafgen', ...sent]);
}

async function hardwareAddress(namespace: string, link: string): Promise<string> {
  const [shown] = JSON.parse(await run('ip', ['-n', namespace, '-j', 'link', 'show', 'dev', link])) as [
    { address: string },
  ];
  return shown.address;
}
