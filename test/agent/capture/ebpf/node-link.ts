// A veth pair in the network namespace of this process: `host` is the node's end of a pod's interface, `pod` the other end.
// Only the packets that are sent here pass it.
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

/** The packets that the interface counted, in both directions. */
export function passed(link = 'host'): number {
  const [{ stats64 }] = JSON.parse(shell(`ip -s -j link show ${link}`)) as [
    { stats64: Record<'rx' | 'tx', { packets: number }> },
  ];
  return stats64.rx.packets + stats64.tx.packets;
}

/** A source that a test drains itself. */
export class Watching {
  readonly source: KernelSource;
  readonly accounting = new PacketAccounting();
  readonly records: ConnectionRecord[] = [];

  /** `hook`: by default the one that the kernel supports. */
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

  drain(): number {
    return this.source.drain(nowUs(), (record) => this.records.push(record));
  }

  /** Drains until everything that was sent before is in records. */
  async settle(): Promise<void> {
    const sinceUs = nowUs();
    while (this.drain() < sinceUs) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  get seen(): number {
    return this.accounting.snapshot().seen;
  }
}

/** Sends one datagram in each direction, on a connection of its own. */
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
