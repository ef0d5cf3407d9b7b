// A node and one of its pods as two network namespaces with a veth pair. They are removed with the test.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Test } from 'tap';

export const nodeAddress = '10.99.0.1';
export const podAddress = '10.99.0.2';
/** On the node's loopback, which is not an address of the node for Waybill. The pod has a route to it. */
export const outsideAddress = '203.0.113.9';

/** The reason to skip a tap test; false if network namespaces can be created. */
export const withoutNamespaces: string | false =
  process.getuid?.() === 0 ? false : 'making network namespaces needs root';

export type PodLink = {
  /** The command prefix of a program that runs on the node. */
  onNode: readonly string[];
  /** The same in the pod. */
  inPod: readonly string[];
  /** The node pings the pod: each time one packet there and one back. */
  ping(times: number): void;
};

export function podLink(t: Test): PodLink {
  const id = `wbtest-${randomBytes(3).toString('hex')}`;
  const [node, pod] = [`${id}-node`, `${id}-pod`];
  const ip = (words: string) => execFileSync('ip', words.split(' '), { timeout: 10_000 });
  t.teardown(() => {
    for (const name of [node, pod]) ip(`netns del ${name}`);
  });
  for (const name of [node, pod]) ip(`netns add ${name}`);
  ip(`-n ${node} link add veth0 type veth peer name eth0 netns ${pod}`);
  for (const [name, link, address] of [
    [node, 'veth0', nodeAddress],
    [pod, 'eth0', podAddress],
  ] as const) {
    ip(`-n ${name} link set lo up`);
    ip(`-n ${name} address add ${address}/24 dev ${link}`);
    ip(`-n ${name} link set ${link} up`);
  }
  ip(`-n ${node} address add ${outsideAddress}/32 dev lo`);
  ip(`-n ${pod} route add default via ${nodeAddress}`);
  const onNode = ['nsenter', `--net=/run/netns/${node}`];
  return {
    onNode,
    inPod: ['nsenter', `--net=/run/netns/${pod}`],
    ping(times) {
      const [program, ...words] = [...onNode, 'ping', '-q', '-i', '0.01', '-c', String(times), '-W', '2', podAddress];
      execFileSync(program!, words, { timeout: 10_000 });
    },
  };
}
