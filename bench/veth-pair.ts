// A veth pair in the network namespace of the benchmark: one end for the pod, one for the host.
import { execFileSync } from 'node:child_process';

/** Interface indexes; both ends are up. */
export type VethPair = { pod: number; host: number };

/** Its ends are named `pod` and `host`. */
export function addVethPair(): VethPair {
  execFileSync('sh', ['-c', 'ip link add pod type veth peer name host && ip link set pod up && ip link set host up']);
  return { pod: indexOf('pod'), host: indexOf('host') };
}

function indexOf(name: string): number {
  const [link] = JSON.parse(execFileSync('ip', ['-j', 'link', 'show', name]).toString()) as [{ ifindex: number }];
  return link.ifindex;
}
