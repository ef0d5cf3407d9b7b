// The cost to find out what a node's address and port were, which every kubelet probe needs, with more and more pods.
import { ClusterHistory } from '../collector/identity/cluster-history.ts';
import { Identities } from '../collector/identity/identity.ts';
import { zoneFinder } from '../collector/identity/zones.ts';
import { parseAddress } from '../model/address.ts';
import { TCP } from '../model/protocol.ts';
import { median, printBudgets } from './budget.ts';
import { EvenCluster, parsed } from './cluster.ts';

const podCounts = [1_000, 10_000, 50_000];
const lookups = 20_000;
const turns = 9;
const limitUs = 5;

const nodes = 100;

function microseconds(pods: number): number {
  const cluster = new ClusterHistory();
  const namespaces = 10;
  const even = new EvenCluster({ nodes, namespaces, podsPerNamespace: pods / namespaces, workloadsPerNamespace: 10 });
  for (const object of even.objects()) cluster.receive({ type: 'put', object: parsed(object), atUs: 0 });
  cluster.receive({ type: 'synced', atUs: 0 });
  const agents = { nodeOf: () => undefined };
  const identities = new Identities(cluster, zoneFinder({}), [], agents);
  const addresses = Array.from({ length: nodes }, (_, i) => parseAddress(`192.0.2.${1 + i}`)!);
  const figures = Array.from({ length: turns }, () => {
    const startMs = performance.now();
    for (let i = 0; i < lookups; i++) {
      const end = { address: addresses[i % nodes]!, port: 40_000 + (i % 100), protocol: TCP, podUid: '' };
      if (identities.at(end, i).endpoint.kind !== 'node') throw new Error(`${end.address} is no node`);
    }
    return ((performance.now() - startMs) * 1000) / lookups;
  });
  return median(figures);
}

const figures = podCounts.map((pods) => ({ pods, us: microseconds(pods) }));
for (const { pods, us } of figures) process.stdout.write(`node look-up with ${pods} pods: ${us.toFixed(2)} µs\n`);
printBudgets({
  name: 'node-lookup',
  figure: figures.at(-1)!.us,
  unit: 'us',
  limit: limitUs,
  better: 'lower',
});
