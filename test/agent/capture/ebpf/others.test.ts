// Other programs come and go in front of ours and after it. Packets that they may have dropped prove no delivery. Packets
// that ours missed are counted as a gap. Ours moves to a place where it sees everything again.
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

const allSeen = (summary: string): Seen => ({ summary, fromPod: true, toPod: true, missing: 0 });

const filtersAfterOurs: Record<string, [add: string, remove: string]> = {
  'a clsact filter': [
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
  'a filter block that interfaces share': [
    `tc qdisc add dev host egress_block 22 clsact; tc filter add block 22 ${pass}`,
    'tc qdisc del dev host clsact',
  ],
};

for (const [filter, [add, remove]] of Object.entries(filtersAfterOurs)) {
  t.test(`${filter} after ours at TCX: the source uses the packet tap while it is there`, async (t) => {
    const { before, changes } = others('tcx', add, remove);
    t.same(before, allSeen('TCX on 1 interface'));
    t.same(changes[0], { unproven: true, gapReported: false, noticed: allSeen('packet tap on 1 interface') });
    t.same(changes[1], { unproven: true, gapReported: false, noticed: allSeen('TCX on 1 interface') });
  });
}

t.test('a filter after ours is found even if more changes happen at once than the netlink buffer holds', async (t) => {
  const file = `${t.testdir()}/batch`;
  const change = (i: number) =>
    `filter ${i % 2 === 0 ? 'add' : 'del'} dev host ingress pref 7 ${i % 2 === 0 ? pass : ''}`;
  const many = Array.from({ length: 10_000 }, (_, i) => change(i));
  const filterAfterOurs = `filter add dev host egress pref 1 ${pass}`;
  writeFileSync(file, `${[...many, filterAfterOurs].join('\n')}\n`);
  const { changes } = others('tcx', 'tc qdisc add dev host clsact', `tc -b ${file}`);
  t.same(changes[0]!.noticed, allSeen('TCX on 1 interface'));
  t.same(changes[1], { unproven: true, gapReported: false, noticed: allSeen('packet tap on 1 interface') });
});

t.test('clsact: every packet in both directions is seen, and no filter is left at the end', async (t) => {
  const { before, filtersLeft } = others('clsact');
  t.same(before, allSeen('clsact on 1 interface'));
  t.equal(filtersLeft, 0);
});

for (const [taken, command] of Object.entries({
  'the qdisc': 'tc qdisc del dev host clsact',
  'the qdisc, then added again,': 'tc qdisc del dev host clsact; tc qdisc add dev host clsact',
  'the filter towards the pod': 'tc filter del dev host egress',
  'the filter from the pod': 'tc filter del dev host ingress',
})) {
  t.test(`clsact: if others remove ${taken}, our filter is attached again and the gap is reported`, async (t) => {
    const { changes, filtersLeft } = others('clsact', command, command);
    t.match(changes[0], { gapReported: true, noticed: { summary: /^clsact on 1 interface; gaps: [12]$/ } });
    for (const { noticed, gapReported } of changes) {
      t.match(noticed, { fromPod: true, toPod: true, missing: 0 });
      t.ok(gapReported, 'the gap is reported each time');
    }
    t.equal(filtersLeft, 0);
  });
}

t.test(
  'clsact: if a filter in front of ours ends the chain, the source uses the packet tap and reports the gap',
  async (t) => {
    const { changes } = others(
      'clsact',
      `tc filter add dev host egress pref 1 ${ok}`,
      'tc filter del dev host egress pref 1',
    );
    t.same(changes[0], { unproven: true, gapReported: true, noticed: allSeen('packet tap on 1 interface; gaps: 1') });
    t.same(changes[1], { unproven: true, gapReported: false, noticed: allSeen('clsact on 1 interface; gaps: 1') });
  },
);

t.test(
  'clsact: if a filter is added in front of ours where packets leave the pod, ours moves in front of it',
  async (t) => {
    const { changes } = others('clsact', `tc filter add dev host ingress pref 1 ${ok}`);
    t.same(changes[0]!.noticed, allSeen('clsact on 1 interface'));
  },
);
