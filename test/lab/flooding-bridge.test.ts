// A bridge with an empty forwarding table sends each packet to every pod of the node. Only the pod that it is addressed to
// got it: Waybill reports the same connections and findings as behind a bridge that knows where its pods are.
import t from 'tap';
import { sourceNames } from '../../agent/capture/choose.ts';
import { balances, type NodeAccounting } from '../../lab/programs/waybill.ts';
import { type LabSession, playAll, withLab } from '../../lab/session.ts';
import { nodeNamespace } from '../../lab/system/names.ts';
import { run } from '../../lab/system/run.ts';

const topology = new URL('../../lab/topologies/bridge/topology.yaml', import.meta.url).pathname;

for (const source of sourceNames) {
  t.test(`${source}: packets that a bridge sends to every pod prove nothing about the other pods`, async (t) => {
    const { differences, traffic, books } = await withLab(topology, source, async (session) => {
      await forgetHosts(session);
      return playAll(session);
    });
    t.ok(traffic.length > 20, `${traffic.length} connections`);
    t.same(differences, []);
    for (const [node, accounting] of Object.entries(books)) {
      t.ok(balances(accounting), `the packet accounting of ${node} balances`);
      t.ok(notOurs(accounting) > 10, `${node}: ${notOurs(accounting)} packets for other hosts`);
    }
  });
}

/** The bridges learn nothing any more, and forget what they know. */
async function forgetHosts({ network }: LabSession): Promise<void> {
  for (const { name } of network.world.cluster.nodes) {
    const namespace = nodeNamespace(network.id, name);
    await run('ip', ['-n', namespace, 'link', 'set', 'cni0', 'type', 'bridge', 'ageing_time', '0']);
    await run('ip', ['-n', namespace, 'link', 'set', 'cni0', 'type', 'bridge', 'fdb_flush']);
  }
}

function notOurs({ setAside: ignored }: NodeAccounting): number {
  return ignored['not-ours'] ?? 0;
}
