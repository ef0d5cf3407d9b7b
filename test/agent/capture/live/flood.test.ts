// Two floods of 160,000 SYNs, one from a pod and one from outside to a pod, both larger than the table. Every connection of
// the others has a record, also UDP without an answer. What the flooding pod sends meanwhile has a record, or is in a sum.
import { execFile } from 'node:child_process';
import t from 'tap';
import { sourceNames } from '../../../../agent/capture/choose.ts';
import { withoutNamespaces } from '../../../scene/pod-link.ts';
import type { Flooded } from './flood.ts';

const script = new URL('flood.ts', import.meta.url).pathname;
const maxConnections = 50_000;
const ports = Array.from({ length: 100 }, (_, i) => 20_000 + i);

function flood(source: string): Promise<Flooded> {
  const words = ['-n', '--kill-child', process.execPath, script, source, String(maxConnections)];
  return new Promise((resolve, reject) => {
    execFile('unshare', words, { timeout: 240_000, maxBuffer: 1 << 24 }, (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout) as Flooded);
      else reject(error);
    });
  });
}

for (const source of sourceNames) {
  t.test(`${source}: no connection of another pod is missing`, { skip: withoutNamespaces }, async (t) => {
    const { passed, accounted, lost, recorded, unrecorded, gaps } = await flood(source);
    t.same(recorded.honest, { answered: ports, unanswered: ports });
    t.same(recorded.ingress?.answered, ports, 'those of the flooded pod are there too');
    t.equal(accounted, passed, 'every packet is in a record, ignored, or lost');
    const sums = Object.entries(unrecorded);
    t.equal(sum(unrecorded), sum(lost), 'every lost packet is in a sum');
    t.ok(sum(lost) > 100_000, `${sum(lost)} packets have no record`);
    t.same(
      sums.filter(([key]) => key.startsWith('honest')),
      [],
    );
    const forbidden = recorded.attacker?.unanswered.includes(65_000) === true;
    const counted = sums.some(([key]) => /^attacker (table-full 1 17 514 1|kernel-buffer-full 1 0 0 0)$/.test(key));
    t.ok(forbidden || counted, 'the datagram of the flooding pod is not hidden');
    t.equal(gaps.length, 1);
    t.ok(['attacker', 'ingress'].includes(gaps[0]!.filledBy), gaps[0]!.filledBy);
  });
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, one) => total + one, 0);
}
