// What a packet costs: our programs beside one that does nothing, by the kernel's own count of their time; and how many
// small packets a second a veth pair carries with them and without. In a network namespace of its own.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { type Attachment, attachTap, attachTcx } from '../agent/capture/ebpf/attach.ts';
import { loadProgram, type ProgramName } from '../agent/capture/ebpf/program.ts';
import { RowTables } from '../agent/capture/ebpf/row-tables.ts';
import { nowUs } from '../cluster/clock.ts';
import { programCost } from '../kernel/libbpf.ts';
import { budgetLine, percentile } from './budget.ts';
import { inNamespace } from './in-namespace.ts';
import { RawSender, udpFrame } from './raw-sender.ts';

const statsSwitch = '/proc/sys/kernel/bpf_stats_enabled';
const packetsARun = 200_000;
/** What else runs on the machine comes and goes: each turn measures everything once, and a ratio is of one turn. */
const turns = 7;
const packetsARate = 100_000;
const rateTurns = 25;
const hostsOfFew = 50_000;
const framesOfOne = 512;

type Load = { connections: number; frames: Buffer[] };

/**
 * One frame of each connection, in an order that no cache foresees. The fewer frames, the less of the caches the sender
 * itself takes; one connection has as many as fit into a call.
 */
function loadOf(connections: number): Load {
  const frames = Array.from({ length: Math.max(connections, framesOfOne) }, (_, i) => {
    const one = i % connections;
    return udpFrame(1 + Math.floor(one / hostsOfFew), 10_000 + (one % hostsOfFew));
  });
  for (let i = frames.length - 1; i > 0; i--) {
    const other = Math.floor(Math.random() * (i + 1));
    [frames[i], frames[other]] = [frames[other]!, frames[i]!];
  }
  return { connections, frames };
}

const loads = [loadOf(1), loadOf(1_000), loadOf(100_000)];

type Link = { index: number };
type Ends = { pod: Link; host: Link };

function makeLinks(): Ends {
  execFileSync('sh', ['-c', 'ip link add pod type veth peer name host && ip link set pod up && ip link set host up']);
  const index = (name: string) => ({
    index: (JSON.parse(execFileSync('ip', ['-j', 'link', 'show', name]).toString()) as [{ ifindex: number }])[0]
      .ifindex,
  });
  return { pod: index('pod'), host: index('host') };
}

type Contender = { name: string; attach: () => Attachment; fd: number };

/** ns a run by load, of one contender in one turn; the first sending makes the connections known. */
function costs({ attach, fd }: Contender, senders: readonly RawSender[]): number[] {
  const attachment = attach();
  const found = senders.map((sender, i) => {
    sender.send(loads[i]!.frames.length);
    const before = programCost(fd);
    sender.send(packetsARun);
    const after = programCost(fd);
    return (after.ns - before.ns) / (after.runs - before.runs);
  });
  attachment.detach();
  return found;
}

/**
 * Small packets a second through the pair, half of them each way. By the clock: the sender, the softirq that delivers
 * and ksoftirqd share the one processor that this process is bound to, and only the first of them counts as its time.
 */
function rate(senders: readonly RawSender[]): number {
  const begun = performance.now();
  let sent = 0;
  for (const sender of senders) sent += sender.send(packetsARate / senders.length);
  return (sent * 1000) / (performance.now() - begun);
}

/** By name, the rate with these programs over that without any in the same turn; `without` is packets a second. */
function rates(ends: Ends, setups: Record<string, () => Attachment[]>): Map<string, number[]> {
  const { frames } = loads[1]!;
  const senders = [new RawSender(ends.pod.index, frames), new RawSender(ends.host.index, frames)];
  rate(senders);
  const found = new Map<string, number[]>([
    ['without', []],
    ...Object.keys(setups).map((name) => [name, []] as [string, number[]]),
  ]);
  for (let turn = 0; turn < rateTurns; turn++) {
    const without = rate(senders);
    found.get('without')!.push(without);
    for (const [name, attach] of Object.entries(setups)) {
      const attachments = attach();
      found.get(name)!.push(rate(senders) / without);
      for (const one of attachments) one.detach();
    }
  }
  for (const sender of senders) sender.close();
  return found;
}

function main(): void {
  const ends = makeLinks();
  const { index } = ends.host;
  const program = loadProgram('bench', 131_072);
  new RowTables(program, nowUs, 7);
  const before = readFileSync(statsSwitch, 'utf8');
  writeFileSync(statsSwitch, '1');
  const tc = (name: ProgramName): Contender => {
    const fd = program.programFd(name);
    return { name, fd, attach: () => attachTcx(fd, index, 'from-pod') };
  };
  const tap = (name: ProgramName): Contender => {
    const fd = program.programFd(name);
    return { name, fd, attach: () => attachTap(fd, index) };
  };
  const contenders = { empty: tc('empty'), ebpf: tc('from_pod'), 'empty tap': tap('empty_tap'), tap: tap('tap_both') };
  const senders = loads.map(({ frames }) => new RawSender(ends.pod.index, frames));
  const found = new Map(Object.keys(contenders).map((name) => [name, [] as number[][]]));
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, contender] of Object.entries(contenders)) found.get(name)!.push(costs(contender, senders));
  }
  for (const sender of senders) sender.close();
  writeFileSync(statsSwitch, before);
  for (const [name, figures] of found) {
    const figuresText = loads.map(({ connections }, load) => {
      const ns = percentile(
        figures.map((turn) => turn[load]!),
        0.5,
      );
      return `${ns.toFixed(0)} ns with ${connections} connections`;
    });
    process.stdout.write(`a packet, ${name}: ${figuresText.join(', ')}\n`);
  }
  const both = (fromPod: ProgramName, toPod: ProgramName) => () => [
    attachTcx(program.programFd(fromPod), index, 'from-pod'),
    attachTcx(program.programFd(toPod), index, 'to-pod'),
  ];
  const carried = rates(ends, {
    'empty programs': both('empty', 'empty'),
    ebpf: both('from_pod', 'to_pod'),
    'an empty tap': () => [attachTap(program.programFd('empty_tap'), index)],
    tap: () => [attachTap(program.programFd('tap_both'), index)],
  });
  const median = (name: string) => percentile(carried.get(name)!, 0.5);
  process.stdout.write(`small packets a second: ${median('without').toFixed(0)} without`);
  for (const name of [...carried.keys()].slice(1))
    process.stdout.write(`, ${median(name).toFixed(2)} of that with ${name}`);
  process.stdout.write('\n');
  for (const [name, nothing, limit] of [
    ['ebpf', 'empty programs', 0.95],
    ['tap', 'an empty tap', 0.85],
  ] as const) {
    const [figure, floor] = [median(name), median(nothing)];
    if (floor >= limit) continue;
    const share = `${floor.toFixed(2)} with ${nothing}, and ${(figure / floor).toFixed(2)} of that with ${name}`;
    process.stdout.write(`${name}-packet-rate-vs-none cannot be met on this machine: ${share}\n`);
  }
  const ratio = (of: string, load: number) =>
    percentile(
      found.get(of)!.map((turn, i) => turn[load]! / found.get('empty')![i]![load]!),
      0.5,
    );
  for (const budget of [
    { name: 'ebpf-packet-vs-empty', figure: ratio('ebpf', 1), limit: 2.4, better: 'lower' },
    { name: 'ebpf-packet-vs-empty-100000', figure: ratio('ebpf', 2), limit: 6.5, better: 'lower' },
    { name: 'tap-packet-vs-empty', figure: ratio('tap', 1), limit: 3.5, better: 'lower' },
    { name: 'tap-packet-vs-empty-100000', figure: ratio('tap', 2), limit: 7.5, better: 'lower' },
    { name: 'ebpf-packet-rate-vs-none', figure: median('ebpf'), limit: 0.95, better: 'higher' },
    { name: 'tap-packet-rate-vs-none', figure: median('tap'), limit: 0.85, better: 'higher' },
  ] as const) {
    process.stdout.write(`${budgetLine({ ...budget, unit: 'x' })}\n`);
  }
}

await inNamespace(import.meta.filename, main);
