// Others come and go where our programs stand, before and behind them: what they may have dropped proves nothing, what they
// kept ours from seeing is known, and ours stands where it sees everything again.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import t from 'tap';
import type { Others, Seen } from './others.ts';

const script = new URL('others.ts', import.meta.url).pathname;
const pass = 'bpf bytecode "1,6 0 0 4294967295" direct-action';
const ok = 'bpf bytecode "1,6 0 0 0" direct-action';

function others(hook: 'tcx' | 'clsact', ...commands: string[]): Others {
  const unshare = process.getuid?.() === 0 ? '-n' : '-rn';
  const words = [unshare, '--kill-child', process.execPath, script, hook, ...commands];
  return JSON.parse(execFileSync('unshare', words, { encoding: 'utf8', timeout: 60_000 })) as Others;
}

const whole = (summary: string): Seen => ({ summary, fromPod: true, toPod: true, missing: 0 });

const behind: Record<string, [come: string, go: string]> = {
  'a filter of clsact': [
    `tc qdisc replace dev host clsact; tc filter add dev host egress pref 1 ${pass}`,
    'tc filter del dev host egress pref 1',
  ],
  'a root qdisc that shapes': [
    'tc qdisc add dev host root tbf rate 1gbit burst 1mb latency 1s',
    'tc qdisc del dev host root',
  ],
  'a root qdisc with a filter of its own': [
    `tc qdisc add dev host root handle 1: htb; tc filter add dev host parent 1: ${pass}`,
    'tc qdisc del dev host root',
  ],
  'a block that interfaces share': [
    `tc qdisc add dev host egress_block 22 clsact; tc filter add block 22 ${pass}`,
    'tc qdisc del dev host clsact',
  ],
};

for (const [who, [come, go]] of Object.entries(behind)) {
  t.test(`${who} behind ours at TCX: the tap stands behind it, as long as it is there`, async (t) => {
    const { before, changes } = others('tcx', come, go);
    t.same(before, whole('tcx 1'));
    t.same(changes[0], { unproven: true, movedSince: false, noticed: whole('tap 1') });
    t.same(changes[1], { unproven: true, movedSince: false, noticed: whole('tcx 1') });
  });
}

t.test('more changes at once than netlink has room for: who is behind ours is known all the same', async (t) => {
  const file = `${t.testdir()}/batch`;
  const change = (i: number) =>
    `filter ${i % 2 === 0 ? 'add' : 'del'} dev host ingress pref 7 ${i % 2 === 0 ? pass : ''}`;
  const many = Array.from({ length: 10_000 }, (_, i) => change(i));
  const behindOurs = `filter add dev host egress pref 1 ${pass}`;
  writeFileSync(file, `${[...many, behindOurs].join('\n')}\n`);
  const { changes } = others('tcx', 'tc qdisc add dev host clsact', `tc -b ${file}`);
  t.same(changes[0]!.noticed, whole('tcx 1'));
  t.same(changes[1], { unproven: true, movedSince: false, noticed: whole('tap 1') });
});

t.test('clsact, whole: every packet both ways is seen, and nothing of it is left', async (t) => {
  const { before, filtersLeft } = others('clsact');
  t.same(before, whole('clsact 1'));
  t.equal(filtersLeft, 0);
});

for (const [taken, command] of Object.entries({
  'the qdisc': 'tc qdisc del dev host clsact',
  'the qdisc, and made anew': 'tc qdisc del dev host clsact; tc qdisc add dev host clsact',
  'the filter towards the pod': 'tc filter del dev host egress',
  'the filter from the pod': 'tc filter del dev host ingress',
})) {
  t.test(`clsact, ${taken} taken away by others: put back, and the gap is told`, async (t) => {
    const { changes, filtersLeft } = others('clsact', command, command);
    t.match(changes[0], { movedSince: true, noticed: { summary: /^clsact 1; gaps [12]$/ } });
    for (const { noticed, movedSince } of changes) {
      t.match(noticed, { fromPod: true, toPod: true, missing: 0 });
      t.ok(movedSince, 'and the next time');
    }
    t.equal(filtersLeft, 0);
  });
}

t.test(
  'clsact, a filter ahead of ours that ends the chain: the tap stands behind it, and the gap is told',
  async (t) => {
    const { changes } = others(
      'clsact',
      `tc filter add dev host egress pref 1 ${ok}`,
      'tc filter del dev host egress pref 1',
    );
    t.same(changes[0], { unproven: true, movedSince: true, noticed: whole('tap 1; gaps 1') });
    t.same(changes[1], { unproven: true, movedSince: false, noticed: whole('clsact 1; gaps 1') });
  },
);

t.test('clsact, a filter that was put ahead of ours where packets leave the pod: ours goes ahead of it', async (t) => {
  const { changes } = others('clsact', `tc filter add dev host ingress pref 1 ${ok}`);
  t.same(changes[0]!.noticed, whole('clsact 1'));
});
