// The packet accounting of the program in the kernel: every packet of the interface is in a record, ignored, or lost.
import { execFile } from 'node:child_process';
import t, { type Test } from 'tap';
import type { Counted } from './count.ts';

const script = new URL('count.ts', import.meta.url).pathname;
/** The size of the only frames here without IP. */
const arpBytes = 42;
const maxConnections = { enough: 131_072, tooFew: 20_000 };

function count(source: string, maxConnections: number, traffic: string): Promise<Counted> {
  const unshare = process.getuid?.() === 0 ? '-n' : '-rn';
  const words = [unshare, '--kill-child', process.execPath, script, source, String(maxConnections), traffic];
  return new Promise((resolve, reject) => {
    execFile('unshare', words, { timeout: 60_000 }, (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout) as Counted);
      else reject(error);
    });
  });
}

function checkAllBytes(t: Test, { records, accounting: { bytes }, interface: { bytes: counted } }: Counted): void {
  t.ok(sum(bytes.lost) > 0, `${sum(bytes.lost)} bytes were lost`);
  t.equal(bytes.seen, counted, 'the program saw every byte that the interface counted');
  t.equal(records.bytes + sum(bytes.ignored) + sum(bytes.lost), counted, 'every byte is in a record, ignored, or lost');
}

function sum(counts: Partial<Record<string, number>>): number {
  return Object.values(counts).reduce((total: number, one) => total + (one ?? 0), 0);
}

for (const source of ['ebpf', 'tap']) {
  t.test(
    `${source}: if the table is large enough, each of 2,000,000 packets and each byte is in a record`,
    async (t) => {
      const counted = await count(source, maxConnections.enough, 'few connections');
      const ignoredFrames = counted.accounting.ignored['not-ip'] ?? 0;
      t.ok(counted.interface.packets >= 2_000_000, `${counted.interface.packets} packets`);
      t.same(counted.accounting.lost, {});
      t.equal(counted.records.frames + ignoredFrames, counted.interface.packets);
      t.equal(counted.records.bytes + ignoredFrames * arpBytes, counted.interface.bytes);
    },
  );

  t.test(`${source}: if the table is full, each of 2,000,000 packets is in a record or counted as lost`, async (t) => {
    const counted = await count(source, maxConnections.tooFew, 'many connections');
    const { seen, ignored, lost } = counted.accounting;
    t.ok((lost['table-full'] ?? 0) > 1_000_000, 'most packets found the table full');
    t.equal(seen, counted.interface.packets, 'the program saw every packet that the interface counted');
    t.equal(counted.records.frames + sum(ignored) + sum(lost), counted.interface.packets);
    checkAllBytes(t, counted);
  });

  t.test(
    `${source}: if reused ports fill the ring, packets are counted as lost with the reason ring-full`,
    async (t) => {
      const counted = await count(source, maxConnections.enough, 'reused ports');
      const { ignored, lost } = counted.accounting;
      t.same(Object.keys(lost), ['ring-full'], 'the tables were not full');
      t.equal(counted.records.frames + sum(ignored) + sum(lost), counted.interface.packets);
      checkAllBytes(t, counted);
    },
  );

  t.test(
    `${source}: with TCP segmentation offload, frames match the interface's count and packets count segments`,
    async (t) => {
      const counted = await count(source, maxConnections.tooFew, 'segmentation offload');
      const ignoredFrames = counted.accounting.ignored['not-ip'] ?? 0;
      t.same(counted.accounting.lost, {});
      t.equal(counted.records.frames + ignoredFrames, counted.interface.packets);
      t.equal(counted.records.bytes + ignoredFrames * arpBytes, counted.interface.bytes);
      t.ok(
        counted.records.bytes > counted.received,
        'records include headers, so they have more bytes than the receiver got',
      );
      t.ok(counted.records.packets > counted.records.frames * 2, `${counted.records.packets} packets in frames`);
    },
  );
}
