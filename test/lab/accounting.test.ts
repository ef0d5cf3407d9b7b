// Packet accounting: every packet that the kernel counts at the pods' interfaces is stored, ignored or counted as lost.
import t from 'tap';
import { kernelCounter } from '../../lab/network/counters.ts';
import { flood } from '../../lab/programs/flood.ts';
import { balances, type NodeAccounting } from '../../lab/programs/waybill.ts';
import { type LabSession, withLab } from '../../lab/session.ts';
import type { Address } from '../../model/address.ts';

const topology = new URL('accounting.yaml', import.meta.url).pathname;
const nodes = ['node-a', 'node-b'];
const sender = { namespace: 'shop', name: 'batch-0' };
const maxSettleMs = 60_000;

type Count = { kernel: number; kernelBytes: number; accounting: NodeAccounting };

for (const source of ['ebpf', 'pcap'] as const)
  t.test(
    `${source}, at least 200,000 packets: every packet that the kernel counts is stored, ignored or lost`,
    async (t) => {
      const result = await withLab(topology, source, async (session) => {
        const before = await settled(session);
        const [four, six] = addressesOf(session, 'batch-0');
        const [four2, six2] = addressesOf(session, 'open-0');
        await flood(session.network, {
          from: sender,
          source: four!,
          destination: four2!,
          port: 514,
          packets: 80_000,
          gapUs: 10,
        });
        await flood(session.network, {
          from: sender,
          source: six!,
          destination: six2!,
          port: 514,
          packets: 40_000,
          gapUs: 0,
        });
        return { before, after: await settled(session), stored: (await session.waybill.status()).store.packets };
      });
      let kernel = 0;
      for (const node of nodes) {
        const [before, after] = [result.before.get(node)!, result.after.get(node)!];
        kernel += after.kernel - before.kernel;
        t.equal(
          after.accounting.seen - before.accounting.seen,
          after.kernel - before.kernel,
          `${node}: every packet was seen`,
        );
        // libpcap does not report the length of the packets that it drops.
        if (source === 'ebpf') {
          const bytes = after.accounting.bytes.seen - before.accounting.bytes.seen;
          t.equal(bytes, after.kernelBytes - before.kernelBytes, `${node}: every byte was seen`);
        }
        t.ok(balances(after.accounting), `${node}: every packet is stored, ignored or lost`);
        t.comment(`${node}: ${after.kernel - before.kernel} packets, ${JSON.stringify(after.accounting)}`);
      }
      t.ok(kernel >= 200_000, `${kernel} packets`);
      const lost = nodes.some((node) => (result.after.get(node)!.accounting.lost['table-full'] ?? 0) > 0);
      t.ok(lost, 'the table was full, and the packets that did not fit are counted');
      const stored = nodes.reduce((sum, node) => sum + result.after.get(node)!.accounting.stored, 0);
      t.equal(result.stored, stored, 'the store has as many packets as the agents report as stored');
    },
  );

function addressesOf({ network }: LabSession, name: string): readonly Address[] {
  return network.world.cluster.pods.find((pod) => pod.name === name)!.addresses;
}

/** Resolves when two readings are the same and every node's accounting balances: no packet is in transit. */
async function settled(session: LabSession): Promise<Map<string, Count>> {
  const deadline = Date.now() + maxSettleMs;
  let before = '';
  for (;;) {
    const counts = await readCounts(session);
    const now = JSON.stringify([...counts]);
    if (now === before && [...counts.values()].every(({ accounting }) => balances(accounting))) return counts;
    if (Date.now() > deadline) throw new Error(`the counts do not settle: ${now}`);
    before = now;
    // Longer than the agents' reporting interval.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
  }
}

async function readCounts({ network, waybill }: LabSession): Promise<Map<string, Count>> {
  const { nodes: reported } = await waybill.status();
  const counts = new Map<string, Count>();
  for (const { node, books } of reported.list) {
    const [kernel, kernelBytes] = await Promise.all([
      kernelCounter(network.world, node, 'packets'),
      kernelCounter(network.world, node, 'bytes'),
    ]);
    counts.set(node, { kernel, kernelBytes, accounting: books! });
  }
  return counts;
}
