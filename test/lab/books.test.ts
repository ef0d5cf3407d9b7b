// The books: what the kernel counted at the pods' interfaces is what is stored, set aside or counted as lost.
import t from 'tap';
import { kernelCounted } from '../../lab/network/counters.ts';
import { flood } from '../../lab/programs/flood.ts';
import { type BooksSeen, balances } from '../../lab/programs/waybill.ts';
import { type LabSession, withLab } from '../../lab/session.ts';
import type { Address } from '../../model/address.ts';

const topology = new URL('books.yaml', import.meta.url).pathname;
const nodes = ['node-a', 'node-b'];
const sender = { namespace: 'shop', name: 'batch-0' };
const patienceMs = 60_000;

type Count = { kernel: number; kernelBytes: number; books: BooksSeen };

for (const source of ['ebpf', 'pcap'] as const)
  t.test(
    `${source}, at least 200,000 packets: the kernel’s count is the count of what is stored and what is lost`,
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
        t.equal(after.books.seen - before.books.seen, after.kernel - before.kernel, `${node}: every packet was seen`);
        // Nobody knows the length of what libpcap dropped.
        if (source === 'ebpf') {
          const bytes = after.books.bytes.seen - before.books.bytes.seen;
          t.equal(bytes, after.kernelBytes - before.kernelBytes, `${node}: every byte was seen`);
        }
        t.ok(balances(after.books), `${node}: what was seen is stored, set aside or lost`);
        t.comment(`${node}: ${after.kernel - before.kernel} packets, ${JSON.stringify(after.books)}`);
      }
      t.ok(kernel >= 200_000, `${kernel} packets`);
      const lost = nodes.some((node) => (result.after.get(node)!.books.lost['table-full'] ?? 0) > 0);
      t.ok(lost, 'there was no room for all, and what had none is counted');
      const stored = nodes.reduce((sum, node) => sum + result.after.get(node)!.books.stored, 0);
      t.equal(result.stored, stored, 'what the agents say is stored is in the store');
    },
  );

function addressesOf({ network }: LabSession, name: string): readonly Address[] {
  return network.world.cluster.pods.find((pod) => pod.name === name)!.addresses;
}

/** Counts that did not move between two looks, with books that balance: nothing is on its way any more. */
async function settled(session: LabSession): Promise<Map<string, Count>> {
  const deadline = Date.now() + patienceMs;
  let before = '';
  for (;;) {
    const counts = await look(session);
    const now = JSON.stringify([...counts]);
    if (now === before && [...counts.values()].every(({ books }) => balances(books))) return counts;
    if (Date.now() > deadline) throw new Error(`the counts do not settle: ${now}`);
    before = now;
    // Longer than agents take to tell their books again.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
  }
}

async function look({ network, waybill }: LabSession): Promise<Map<string, Count>> {
  const { nodes: told } = await waybill.status();
  const counts = new Map<string, Count>();
  for (const { node, books } of told.list) {
    const [kernel, kernelBytes] = await Promise.all([
      kernelCounted(network.world, node, 'packets'),
      kernelCounted(network.world, node, 'bytes'),
    ]);
    counts.set(node, { kernel, kernelBytes, books: books! });
  }
  return counts;
}
