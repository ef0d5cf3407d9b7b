// A veth pair in the network namespace of this process: `host` is a pod's interface as the node sees it, `pod` its other end.
// Nothing passes it but what is sent here.
import { execFileSync } from 'node:child_process';
import { pino } from 'pino';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { type Attacher, TcAttacher } from '../../../../agent/capture/ebpf/attacher.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';
import { KernelSource } from '../../../../agent/capture/ebpf/source.ts';
import { RawSender, udpFrame } from '../../../../bench/raw-sender.ts';
import type { ConnectionRecord } from '../../../../model/record.ts';

export const nowUs = () => (performance.timeOrigin + performance.now()) * 1000;

export function shell(line: string): string {
  return execFileSync('sh', ['-c', line], { encoding: 'utf8' });
}

export function makePair(host = 'host', pod = 'pod'): { host: number; pod: number } {
  shell(`ip link add ${pod} type veth peer name ${host}`);
  for (const link of [pod, host]) shell(`ip link set ${link} addrgenmode none && ip link set ${link} up`);
  return { host: indexOf(host), pod: indexOf(pod) };
}

function indexOf(link: string): number {
  return (JSON.parse(shell(`ip -j link show ${link}`)) as [{ ifindex: number }])[0].ifindex;
}

/** What the interface counted of both directions. */
export function passed(link = 'host'): number {
  const [{ stats64 }] = JSON.parse(shell(`ip -s -j link show ${link}`)) as [
    { stats64: Record<'rx' | 'tx', { packets: number }> },
  ];
  return stats64.rx.packets + stats64.tx.packets;
}

/** A source whose rows are read by hand. */
export class Watching {
  readonly source: KernelSource;
  readonly accounting = new PacketAccounting();
  readonly records: ConnectionRecord[] = [];

  /** `hook`: that of the kernel where none is said. */
  constructor(name: 'ebpf' | 'tap', hook?: 'tcx' | 'clsact') {
    const program = loadProgram(name, 10_000);
    const options = { maxConnections: 10_000, reportEveryUs: 1, nowUs, seed: 7 };
    const eventHandlers = { translation: () => undefined, dns: () => undefined };
    const attacher: Attacher | undefined = hook === undefined ? undefined : new TcAttacher(program, hook);
    this.source = new KernelSource(
      name,
      program,
      options,
      this.accounting,
      eventHandlers,
      pino({ level: 'silent' }),
      attacher,
    );
  }

  look(): number {
    return this.source.drain(nowUs(), (record) => this.records.push(record));
  }

  /** Until all that was sent before is handed over. */
  async settle(): Promise<void> {
    const sinceUs = nowUs();
    while (this.look() < sinceUs) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  get seen(): number {
    return this.accounting.snapshot().seen;
  }
}

/** Sends one datagram each way, of a connection of its own. */
export function exchange(links: { host: number; pod: number }, port: number): void {
  for (const [link, host] of [
    [links.host, 1],
    [links.pod, 2],
  ] as const) {
    const sender = new RawSender(link, [udpFrame(host, port)]);
    sender.send(1);
    sender.close();
  }
}
