// Runs in a network namespace of its own. For each kind of attachment, a process attaches a program and is killed; then the
// program is attached again, as after a restart. Prints as JSON the number of attachments after each step.
//   node crash.ts             the test
//   node crash.ts hold KIND   attaches and waits to be killed
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { attachClsact, attachTap, attachTcx, tcxPrograms } from '../../../../agent/capture/ebpf/attach.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';

const attachers = {
  tcx: attachTcx,
  clsact: attachClsact,
  tap: (fd: number, index: number) => attachTap(fd, index),
} as const;
type Kind = keyof typeof attachers;

/** The number of TCX programs, clsact filters and packet sockets. */
export type Attached = { tcx: number; clsact: number; sockets: number };
export type Crash = { kind: Kind; held: Attached; killed: Attached; again: Attached; ended: Attached };

function indexOf(): number {
  return (JSON.parse(execFileSync('ip', ['-j', 'link', 'show', 'host']).toString()) as [{ ifindex: number }])[0]
    .ifindex;
}

function attach(kind: Kind) {
  const program = loadProgram(kind === 'tap' ? 'tap' : 'ebpf', 1000);
  return attachers[kind](program.programFd(kind === 'tap' ? 'tap_both' : 'from_pod'), indexOf(), 'from-pod');
}

function attached(): Attached {
  const filters = execFileSync('tc', ['filter', 'show', 'dev', 'host', 'ingress']).toString();
  return {
    tcx: tcxPrograms(indexOf(), 'from-pod').ids.length,
    clsact: filters.match(/ handle 0x/g)?.length ?? 0,
    sockets: execFileSync('cat', ['/proc/net/packet']).toString().trim().split('\n').length - 1,
  };
}

async function crash(kind: Kind): Promise<Crash> {
  const holder = spawn(process.execPath, [import.meta.filename, 'hold', kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  const held = attached();
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const killed = attached();
  const attachment = attach(kind);
  const again = attached();
  attachment.detach();
  return { kind, held, killed, again, ended: attached() };
}

if (process.argv[2] === 'hold') {
  attach(process.argv[3] as Kind);
  process.stdout.write('held');
  setInterval(() => undefined, 60_000);
} else {
  execFileSync('sh', ['-c', 'ip link add pod type veth peer name host && ip link set pod up && ip link set host up']);
  const crashes: Crash[] = [];
  for (const kind of Object.keys(attachers) as Kind[]) crashes.push(await crash(kind));
  process.stdout.write(JSON.stringify(crashes));
  process.exit(0);
}
