// Runs in a network namespace of its own and watches a pod's interface at TCX. Prints the outcome of a case as JSON.
//   node moves.ts CASE
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { attachTcx, tcxPrograms } from '../../../../agent/capture/ebpf/attach.ts';
import { OtherFilters } from '../../../../agent/capture/ebpf/other-filters.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';
import { programId } from '../../../../kernel/libbpf.ts';
import { exchange, makePair, passed, shell, Watching } from './node-link.ts';

const exchanges = 20;
const links = makePair();
const link = { index: links.host, name: 'host', appearedUs: 0 };
let port = 1000;

/** Sends packets, and returns how many of them our program did not see. */
async function missing(watching: Watching): Promise<number> {
  const before = passed() - watching.seen;
  for (let i = 0; i < exchanges; i++) exchange(links, port++);
  await watching.settle();
  return passed() - watching.seen - before;
}

const cases: Record<string, () => Promise<unknown>> = {
  /** A filter comes and goes while datagrams pass all the time. */
  async 'under traffic'() {
    const watching = new Watching('ebpf');
    watching.source.watch(link);
    await watching.settle();
    const before = { passed: passed(), seen: watching.seen };
    const words = [new URL('send.ts', import.meta.url).pathname, JSON.stringify(links)];
    const sender = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(sender.stdout, 'data');
    const summaries: string[] = [];
    for (let i = 0; i < 5; i++) {
      shell('tc qdisc add dev host root handle 1: htb');
      await watching.settle();
      summaries.push(watching.source.attachmentSummary);
      shell('tc qdisc del dev host root');
      await watching.settle();
      summaries.push(watching.source.attachmentSummary);
    }
    sender.kill('SIGKILL');
    await once(sender, 'exit');
    await watching.settle();
    const counted = { passed: passed() - before.passed, seen: watching.seen - before.seen };
    return { summaries, ...counted, gapFreeSinceUs: watching.source.visibility(links.host).gapFreeSinceUs };
  },

  /** The interface goes down and up before its last rows are read. */
  async flap() {
    const watching = new Watching('ebpf');
    watching.source.watch(link);
    const before = await missing(watching);
    watching.drain();
    shell('ip link set host down; ip link set host up');
    watching.source.forget(link);
    watching.source.watch({ ...link, appearedUs: 1 });
    const after = await missing(watching);
    const { attachmentSummary: summary } = watching.source;
    for (let i = 0; i < 3; i++) await watching.settle();
    const later = await missing(watching);
    await watching.source.close(() => undefined);
    return { before, after, later, summary };
  },

  /** Another program is attached in front of ours, where packets leave the pod, again and again. */
  async front() {
    const watching = new Watching('ebpf');
    watching.source.watch(link);
    const other = loadProgram('bench', 1000).programFd('empty');
    const isAhead = () => tcxPrograms(links.host, 'from-pod').ids[0] === programId(other);
    const outcomes: { isAhead: boolean; seesFromPod: boolean; missing: number }[] = [];
    for (let i = 0; i < 5; i++) {
      const attached = attachTcx(other, links.host, 'from-pod');
      await watching.settle();
      const seesFromPod = watching.source.visibility(links.host).fromPod;
      outcomes.push({ isAhead: isAhead(), seesFromPod, missing: await missing(watching) });
      attached.detach();
    }
    await watching.settle();
    const atEnd = watching.source.visibility(links.host).fromPod;
    await watching.source.close(() => undefined);
    return { outcomes, atEnd, left: tcxPrograms(links.host, 'from-pod').ids.length };
  },

  /** TCX programs towards the pod: one is attached, then detached; then one is attached and detached between two drains. */
  async towards() {
    const watching = new Watching('ebpf');
    watching.source.watch(link);
    const other = loadProgram('bench', 1000).programFd('empty');
    const outcomes: { summary: string; missing: number }[] = [];
    const record = async () => {
      await watching.settle();
      outcomes.push({ missing: await missing(watching), summary: watching.source.attachmentSummary });
    };
    const behind = attachTcx(other, links.host, 'to-pod');
    await record();
    behind.detach();
    await record();
    attachTcx(other, links.host, 'to-pod').detach();
    await record();
    return outcomes;
  },

  /** Filters after ours, without notifications from netlink: how many refreshes until they are found. */
  async 'no notification'() {
    const silentMonitor = { read: () => 'complete' as const, close: () => undefined };
    const others = new OtherFilters('tcx', { 'from-pod': 0, 'to-pod': 0 }, silentMonitor);
    const refreshesUntil = (isBehind: boolean) => {
      for (let refreshes = 0; refreshes <= 100; refreshes++) {
        if (others.isFilteredTowardsPod(links.host) === isBehind) return refreshes;
        others.refresh();
      }
      return Number.POSITIVE_INFINITY;
    };
    const outcomes = [refreshesUntil(false)];
    for (const [command, isBehind] of [
      [
        'tc qdisc add dev host clsact; tc filter add dev host egress pref 1 bpf bytecode "1,6 0 0 2" direct-action',
        true,
      ],
      ['tc filter del dev host egress', false],
      ['tc qdisc add dev host root handle 1: htb', true],
    ] as const) {
      shell(command);
      outcomes.push(refreshesUntil(isBehind));
    }
    return outcomes;
  },

  /** Many pods appear at once. */
  async many() {
    const watching = new Watching('ebpf');
    const pairs = Array.from({ length: 10 }, (_, i) => makePair(`host${i}`, `pod${i}`));
    for (const { host } of pairs) watching.source.watch({ index: host, name: `host of ${host}`, appearedUs: 0 });
    await watching.settle();
    const before = watching.seen;
    for (const pair of pairs) exchange(pair, 1000);
    await watching.settle();
    const seen = watching.seen - before;
    const { attachmentSummary: summary } = watching.source;
    await watching.source.close(() => undefined);
    const left = pairs.map(
      ({ host }) => tcxPrograms(host, 'from-pod').ids.length + tcxPrograms(host, 'to-pod').ids.length,
    );
    return { seen, summary, left: left.reduce((sum, one) => sum + one) };
  },
};

process.stdout.write(JSON.stringify(await cases[process.argv[2]!]!()));
process.exit(0);
