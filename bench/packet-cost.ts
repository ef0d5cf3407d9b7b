// The cost of a packet: our programs compared with an empty one, by the kernel's own measurement of their time; and the
// rate of small packets through a veth pair with and without them. In a network namespace of its own.
import { readFileSync, writeFileSync } from 'node:fs';
import { type Attachment, attachTap, attachTcx } from '../agent/capture/ebpf/attach.ts';
import { InterfaceSlots } from '../agent/capture/ebpf/interface-slots.ts';
import { loadProgram, type ProgramName } from '../agent/capture/ebpf/program.ts';
import { RowTables } from '../agent/capture/ebpf/row-tables.ts';
import { nowUs } from '../cluster/clock.ts';
import { programCost } from '../kernel/libbpf.ts';
import { median, printBudgets } from './budget.ts';
import { inNamespace } from './in-namespace.ts';
import { RawSender, udpFrame } from './raw-sender.ts';
import { addVethPair, type VethPair } from './veth-pair.ts';

const statsSwitch = '/proc/sys/kernel/bpf_stats_enabled';
const packetsPerRun = 200_000;
/** The load of the machine varies: each turn measures everything once, and ratios are within one turn. */
const turns = 7;
const packetsPerRate = 100_000;
const rateTurns = 25;
const connectionsPerHost = 50_000;
const framesPerCall = 512;

type Load = { connections: number; frames: Buffer[] };

/**
 * One frame of each connection, in an order that no cache predicts. Fewer frames leave more of the caches to the programs;
 * one connection has as many frames as fit into a call.
 */
function loadOf(connections: number): Load {
  const frames = Array.from({ length: Math.max(connections, framesPerCall) }, (_, i) => {
    const one = i % connections;
    return udpFrame(1 + Math.floor(one / connectionsPerHost), 10_000 + (one % connectionsPerHost));
  });
  for (let i = frames.length - 1; i > 0; i--) {
    const other = Math.floor(Math.random() * (i + 1));
    [frames[i], frames[other]] = [frames[other]!, frames[i]!];
  }
  return { connections, frames };
}

const loads = [loadOf(1), loadOf(1_000), loadOf(100_000)];

type Contender = { name: string; attach: () => Attachment; fd: number };

/** ns per run for each load, of one contender in one turn. The first packets only make the connections known. */
function costs({ attach, fd }: Contender, senders: readonly RawSender[]): number[] {
  const attachment = attach();
  const found = senders.map((sender, i) => {
    sender.send(loads[i]!.frames.length);
    const before = programCost(fd);
    sender.send(packetsPerRun);
    const after = programCost(fd);
    return (after.ns - before.ns) / (after.runs - before.runs);
  });
  attachment.detach();
  return found;
}

/**
 * Small packets per second through the pair, half in each direction. By wall clock: the sender, the softirq and ksoftirqd
 * share the one processor of this process, and only the sender counts as its processor time.
 */
function rate(senders: readonly RawSender[]): number {
  const startMs = performance.now();
  let sent = 0;
  for (const sender of senders) sent += sender.send(packetsPerRate / senders.length);
  return (sent * 1000) / (performance.now() - startMs);
}

/** By name, the rate with these programs over the rate without any in the same turn; `without` is packets per second. */
function rates(links: VethPair, variants: Record<string, () => Attachment[]>): Map<string, number[]> {
  const { frames } = loads[1]!;
  const senders = [new RawSender(links.pod, frames), new RawSender(links.host, frames)];
  rate(senders);
  const found = new Map<string, number[]>([
    ['without', []],
    ...Object.keys(variants).map((name) => [name, []] as [string, number[]]),
  ]);
  for (let turn = 0; turn < rateTurns; turn++) {
    const without = rate(senders);
    found.get('without')!.push(without);
    for (const [name, attach] of Object.entries(variants)) {
      const attachments = attach();
      found.get(name)!.push(rate(senders) / without);
      for (const one of attachments) one.detach();
    }
  }
  for (const sender of senders) sender.close();
  return found;
}

function main(): void {
  const links = addVethPair();
  const index = links.host;
  const program = loadProgram('bench', 131_072);
  new RowTables(program, new InterfaceSlots(program), nowUs, 7);
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
  const senders = loads.map(({ frames }) => new RawSender(links.pod, frames));
  const found = new Map(Object.keys(contenders).map((name) => [name, [] as number[][]]));
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, contender] of Object.entries(contenders)) found.get(name)!.push(costs(contender, senders));
  }
  for (const sender of senders) sender.close();
  writeFileSync(statsSwitch, before);
  for (const [name, figures] of found) {
    const parts = loads.map(({ connections }, load) => {
      const ns = median(figures.map((turn) => turn[load]!));
      return `${ns.toFixed(0)} ns with ${connections} connections`;
    });
    process.stdout.write(`a packet, ${name}: ${parts.join(', ')}\n`);
  }
  const both = (fromPod: ProgramName, toPod: ProgramName) => () => [
    attachTcx(program.programFd(fromPod), index, 'from-pod'),
    attachTcx(program.programFd(toPod), index, 'to-pod'),
  ];
  const rateShares = rates(links, {
    'empty programs': both('empty', 'empty'),
    ebpf: both('from_pod', 'to_pod'),
    'an empty tap': () => [attachTap(program.programFd('empty_tap'), index)],
    tap: () => [attachTap(program.programFd('tap_both'), index)],
  });
  const medianRate = (name: string) => median(rateShares.get(name)!);
  process.stdout.write(`small packets per second: ${medianRate('without').toFixed(0)} without`);
  for (const name of [...rateShares.keys()].slice(1))
    process.stdout.write(`, ${medianRate(name).toFixed(2)} of that with ${name}`);
  process.stdout.write('\n');
  for (const [name, emptyName, limit] of [
    ['ebpf', 'empty programs', 0.95],
    ['tap', 'an empty tap', 0.85],
  ] as const) {
    const [figure, floor] = [medianRate(name), medianRate(emptyName)];
    if (floor >= limit) continue;
    const share = `${floor.toFixed(2)} with ${emptyName}, and ${(figure / floor).toFixed(2)} of that with ${name}`;
    process.stdout.write(`${name}-packet-rate-vs-none cannot be met on this machine: ${share}\n`);
  }
  const ratio = (of: string, load: number) =>
    median(found.get(of)!.map((turn, i) => turn[load]! / found.get('empty')![i]![load]!));
  for (const budget of [
    { name: 'ebpf-packet-vs-empty', figure: ratio('ebpf', 1), limit: 2.4, better: 'lower' },
    { name: 'ebpf-packet-vs-empty-100000', figure: ratio('ebpf', 2), limit: 6.5, better: 'lower' },
    { name: 'tap-packet-vs-empty', figure: ratio('tap', 1), limit: 3.5, better: 'lower' },
    { name: 'tap-packet-vs-empty-100000', figure: ratio('tap', 2), limit: 7.5, better: 'lower' },
    { name: 'ebpf-packet-rate-vs-none', figure: medianRate('ebpf'), limit: 0.95, better: 'higher' },
    { name: 'tap-packet-rate-vs-none', figure: medianRate('tap'), limit: 0.85, better: 'higher' },
  ] as const) {
    printBudgets({ ...budget, unit: 'x' });
  }
}

await inNamespace(import.meta.filename, main);
