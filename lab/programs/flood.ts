// Sends many small packets from a pod, by trafgen: from many ports, which makes many connections.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Address } from '../../model/address.ts';
import { isIpv6 } from '../../model/address.ts';
import { linkIn } from '../network/links.ts';
import type { LabWorld } from '../network/node.ts';
import { nodeNamespace, podLink, podNamespace } from '../system/names.ts';
import { run } from '../system/run.ts';

export type Flood = {
  from: { namespace: string; name: string };
  source: Address;
  destination: Address;
  port: number;
  packets: number;
  /** Between two packets; 0: as fast as possible. */
  gapUs: number;
  /** Number of source ports, used in turn; random ports if missing. */
  sourcePorts?: number;
};

const firstPort = 1024;

/** Resolves when all packets are sent. The lab's `folder` gets the trafgen script. */
export async function flood(lab: { world: LabWorld; folder: string }, wanted: Flood): Promise<void> {
  const { id, cluster } = lab.world;
  const pod = cluster.pods.find(
    ({ namespace, name }) => namespace === wanted.from.namespace && name === wanted.from.name,
  )!;
  const own = await linkIn(podNamespace(id, pod), 'eth0');
  const gateway = await linkIn(nodeNamespace(id, pod.node), podLink(pod));
  const addresses = `sa=${wanted.source}, da=${wanted.destination}`;
  const file = join(lab.folder, `flood-${pod.name}.trafgen`);
  const sourcePort =
    wanted.sourcePorts === undefined
      ? 'drnd(1024, 65535)'
      : `dinc(${firstPort}, ${firstPort + wanted.sourcePorts - 1}, 1)`;
  await writeFile(
    file,
    `{ eth(da=${gateway.mac}, sa=${own.mac})
       ${isIpv6(wanted.source) ? `ipv6(${addresses}, hl=64)` : `ipv4(${addresses}, ttl=64)`}
       udp(sp=${sourcePort}, dp=${wanted.port})
       fill('w', 18) }\n`,
  );
  const gap = wanted.gapUs === 0 ? [] : ['-t', `${wanted.gapUs}us`];
  const options = [
    '-c',
    file,
    '-o',
    'eth0',
    '-n',
    String(wanted.packets),
    '--cpus',
    '1',
    '--no-sock-mem',
    '-q',
    ...gap,
  ];
  await run('nsenter', [`--net=/run/netns/${podNamespace(id, pod)}`, 'trafgen', ...options]);
}
