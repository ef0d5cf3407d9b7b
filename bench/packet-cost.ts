// What a packet costs: our programs beside one that does nothing, by the kernel's own count of their time; and how many
// small packets a second a veth pair carries with them and without. In a network namespace of its own.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { type Attachment, attachTap, attachTcx } from '../agent/capture/ebpf/attach.ts';
import { programCost } from '../agent/capture/ebpf/kernel.ts';
import { type LoadedProgram, loadProgram, type ProgramName } from '../agent/capture/ebpf/program.ts';
import { Tables } from '../agent/capture/ebpf/tables.ts';
import { budgetLine, percentile } from './budget.ts';
import { inNamespace } from './in-namespace.ts';
import { RawSender, udpFrame } from './raw-sender.ts';

const statsSwitch = '/proc/sys/kernel/bpf_stats_enabled';
const packetsARun = 1_000_000;
const turns = 5;
const hostsOfFew = 50_000;

type Load = { connections: number; frames: Buffer[] };

function loadOf(connections: number, frames: number): Load {
  const frame = () => {
    const one = Math.floor(Math.random() * connections);
    return udpFrame(1 + Math.floor(one / hostsOfFew), 10_000 + (one % hostsOfFew));
  };
  return { connections, frames: Array.from({ length: frames }, frame) };
}

const loads = [loadOf(1, 512), loadOf(1_000, 4_096), loadOf(100_000, 262_144)];

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

/** ns a run of the program, with each load; the first sending makes the connections known. */
function costs(program: LoadedProgram, name: ProgramName, attach: (fd: number) => Attachment, ends: Ends): number[] {
  const fd = program.program(name);
  const attachment = attach(fd);
  const found = loads.map(({ frames }) => {
    const sender = new RawSender(ends.pod.index, frames);
    sender.send(frames.length);
    const before = programCost(fd);
    sender.send(packetsARun);
    const after = programCost(fd);
    sender.close();
    return (after.ns - before.ns) / (after.runs - before.runs);
  });
  attachment.detach();
  return found;
}

/** Small packets through the pair for a second of the processor, half of them each way. */
function rate(senders: readonly RawSender[]): number {
  const begun = process.cpuUsage();
  let sent = 0;
  for (const sender of senders) sent += sender.send(packetsARun / 2);
  const { user, system } = process.cpuUsage(begun);
  return sent / ((user + system) / 1_000_000);
}

function rates(ends: Ends, attach: () => Attachment[]): { ratio: number; without: number; with: number } {
  const { frames } = loads[1]!;
  const senders = [new RawSender(ends.pod.index, frames), new RawSender(ends.host.index, frames)];
  rate(senders);
  const [without, withPrograms]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < turns; turn++) {
    without.push(rate(senders));
    const attachments = attach();
    withPrograms.push(rate(senders));
    for (const one of attachments) one.detach();
  }
  for (const sender of senders) sender.close();
  const [a, b] = [percentile(without, 0.5), percentile(withPrograms, 0.5)];
  return { ratio: b / a, without: a, with: b };
}

function main(): void {
  const ends = makeLinks();
  const { index } = ends.host;
  const program = loadProgram('bench', 131_072);
  const nowUs = () => (performance.timeOrigin + performance.now()) * 1000;
  new Tables(program, nowUs, 7);
  const before = readFileSync(statsSwitch, 'utf8');
  writeFileSync(statsSwitch, '1');
  const tc = (fd: number) => attachTcx(fd, index, 'from-pod');
  const tap = (fd: number) => attachTap(fd, index);
  const found = {
    empty: costs(program, 'empty', tc, ends),
    ebpf: costs(program, 'from_pod', tc, ends),
    'empty tap': costs(program, 'empty_tap', tap, ends),
    tap: costs(program, 'tap_both', tap, ends),
  };
  writeFileSync(statsSwitch, before);
  for (const [name, figures] of Object.entries(found)) {
    const said = figures.map((ns, i) => `${ns.toFixed(0)} ns with ${loads[i]!.connections} connections`);
    process.stdout.write(`a packet, ${name}: ${said.join(', ')}\n`);
  }
  const throughEbpf = rates(ends, () => [
    attachTcx(program.program('from_pod'), index, 'from-pod'),
    attachTcx(program.program('to_pod'), index, 'to-pod'),
  ]);
  const throughTap = rates(ends, () => [attachTap(program.program('tap_both'), index)]);
  for (const [name, { without, with: some }] of Object.entries({ ebpf: throughEbpf, tap: throughTap })) {
    process.stdout.write(
      `small packets for a second of the processor: ${without.toFixed(0)} without, ${some.toFixed(0)} with ${name}\n`,
    );
  }
  const ratio = (of: 'ebpf' | 'tap', load: number) => found[of][load]! / found.empty[load]!;
  for (const budget of [
    { name: 'ebpf-packet-vs-empty', figure: ratio('ebpf', 1), limit: 2.4, better: 'lower' },
    { name: 'ebpf-packet-vs-empty-100000', figure: ratio('ebpf', 2), limit: 6.5, better: 'lower' },
    { name: 'tap-packet-vs-empty', figure: ratio('tap', 1), limit: 3.5, better: 'lower' },
    { name: 'tap-packet-vs-empty-100000', figure: ratio('tap', 2), limit: 7.5, better: 'lower' },
    { name: 'ebpf-packet-rate-vs-none', figure: throughEbpf.ratio, limit: 0.95, better: 'higher' },
    { name: 'tap-packet-rate-vs-none', figure: throughTap.ratio, limit: 0.85, better: 'higher' },
  ] as const) {
    process.stdout.write(`${budgetLine({ ...budget, unit: 'x' })}\n`);
  }
}

await inNamespace(import.meta.filename, main);
