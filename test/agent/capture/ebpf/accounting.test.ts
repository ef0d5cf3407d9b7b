// The books of the program in the kernel: what the interface counted is in records, set aside, or counted as lost.
import { execFile } from 'node:child_process';
import t, { type Test } from 'tap';
import type { Counted } from './count.ts';

const script = new URL('count.ts', import.meta.url).pathname;
/** Of the frames that are no IP here: ARP. */
const arpBytes = 42;
const settings = { maxConnections: 131_072, few: 20_000 };

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

function allBytes(t: Test, { records, accounting: { bytes }, interface: { bytes: there } }: Counted): void {
  t.ok(sum(bytes.lost) > 0, `${sum(bytes.lost)} bytes were lost`);
  t.equal(bytes.seen, there, 'every byte that the interface counted was seen');
  t.equal(records.bytes + sum(bytes.ignored) + sum(bytes.lost), there, 'and is in a record, set aside, or lost');
}

function sum(counts: Partial<Record<string, number>>): number {
  return Object.values(counts).reduce((total: number, one) => total + (one ?? 0), 0);
}

for (const source of ['ebpf', 'tap']) {
  t.test(`${source}: 2,000,000 packets for which there is room: every one and every byte is in a record`, async (t) => {
    const counted = await count(source, settings.maxConnections, 'few connections');
    const ignoredFrames = counted.accounting.ignored['not-ip'] ?? 0;
    t.ok(counted.interface.packets >= 2_000_000, `${counted.interface.packets} packets`);
    t.same(counted.accounting.lost, {});
    t.equal(counted.records.frames + ignoredFrames, counted.interface.packets);
    t.equal(counted.records.bytes + ignoredFrames * arpBytes, counted.interface.bytes);
  });

  t.test(`${source}: 2,000,000 packets of more connections than fit: stored and lost are all there were`, async (t) => {
    const counted = await count(source, settings.few, 'many connections');
    const { seen, ignored: setAside, lost } = counted.accounting;
    t.ok((lost['table-full'] ?? 0) > 1_000_000, 'most found no room');
    t.equal(seen, counted.interface.packets, 'what the program saw is what the interface counted');
    t.equal(counted.records.frames + sum(setAside) + sum(lost), counted.interface.packets);
    allBytes(t, counted);
  });

  t.test(
    `${source}: more new connections on the same ports than the ring has room for: counted by that reason`,
    async (t) => {
      const counted = await count(source, settings.maxConnections, 'reused ports');
      const { ignored: setAside, lost } = counted.accounting;
      t.same(Object.keys(lost), ['ring-full'], 'the tables had room');
      t.equal(counted.records.frames + sum(setAside) + sum(lost), counted.interface.packets);
      allBytes(t, counted);
    },
  );

  t.test(
    `${source}: TCP with segmentation offload: frames as the interface counts them, packets by segment`,
    async (t) => {
      const counted = await count(source, settings.few, 'segmentation offload');
      const ignoredFrames = counted.accounting.ignored['not-ip'] ?? 0;
      t.same(counted.accounting.lost, {});
      t.equal(counted.records.frames + ignoredFrames, counted.interface.packets);
      t.equal(counted.records.bytes + ignoredFrames * arpBytes, counted.interface.bytes);
      t.ok(counted.records.bytes > counted.received, 'more than what the receiver got, by the headers');
      t.ok(counted.records.packets > counted.records.frames * 2, `${counted.records.packets} packets in frames`);
    },
  );
}
