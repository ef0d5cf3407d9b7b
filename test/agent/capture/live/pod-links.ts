// Pod interfaces in the network namespace of this process, and a live source that watches them. For scripts that run in a
// namespace of their own.
import { execFileSync } from 'node:child_process';
import { pino } from 'pino';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';
import { KernelSource } from '../../../../agent/capture/ebpf/source.ts';
import { PcapSource } from '../../../../agent/capture/pcap/source.ts';
import type { CaptureSource } from '../../../../agent/capture/source.ts';
import { UnrecordedTraffic } from '../../../../agent/capture/unrecorded.ts';
import { RawSender } from '../../../../bench/raw-sender.ts';
import type { ConnectionRecord } from '../../../../model/record.ts';

export type PodLink = { name: string; host: number; pod: number };

export const nowUs = () => (performance.timeOrigin + performance.now()) * 1000;

/** A veth pair. Nobody answers what is sent through it. The source pcap needs the loopback interface. */
export function addPodLink(name: string): PodLink {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  execFileSync('ip', ['link', 'add', `${name}p`, 'type', 'veth', 'peer', 'name', name]);
  for (const link of [`${name}p`, name]) {
    execFileSync('ip', ['link', 'set', link, 'addrgenmode', 'none']);
    execFileSync('ip', ['link', 'set', link, 'up']);
  }
  return { name, host: indexOf(name), pod: indexOf(`${name}p`) };
}

function indexOf(link: string): number {
  return (JSON.parse(execFileSync('ip', ['-j', 'link', 'show', link]).toString()) as [{ ifindex: number }])[0].ifindex;
}

/** Packets that the host's side of the link counted, in both directions. */
export function passed(link: string): number {
  const [{ stats64 }] = JSON.parse(execFileSync('ip', ['-s', '-j', 'link', 'show', link]).toString()) as [
    { stats64: Record<'rx' | 'tx', { packets: number }> },
  ];
  return stats64.rx.packets + stats64.tx.packets;
}

/** Sends the frames once, in order: from the pod, or from the host's side towards the pod. */
export function sendFrames(link: PodLink, direction: 'from-pod' | 'to-pod', frames: readonly Buffer[]): void {
  if (frames.length === 0) return;
  const sender = new RawSender(direction === 'from-pod' ? link.pod : link.host, frames);
  sender.send(frames.length);
  sender.close();
}

export class Watched {
  readonly accounting = new PacketAccounting();
  readonly unrecorded = new UnrecordedTraffic();
  readonly records: ConnectionRecord[] = [];
  readonly source: CaptureSource;
  readonly #keeps: (record: ConnectionRecord) => boolean;

  /** `keeps`: which records are kept; by default all. */
  constructor(
    name: string,
    maxConnections: number,
    links: readonly PodLink[],
    keeps: (record: ConnectionRecord) => boolean = () => true,
  ) {
    this.#keeps = keeps;
    const options = {
      ...{ maxConnections, reportEveryUs: 1_000_000, nowUs, seed: 7, bufferBytes: 4 << 20 },
      unrecorded: this.unrecorded,
    };
    const handlers = { translation: () => undefined, dns: () => undefined };
    this.source =
      name === 'ebpf' || name === 'tap'
        ? new KernelSource(
            name,
            loadProgram(name, maxConnections),
            options,
            this.accounting,
            handlers,
            pino({ level: 'silent' }),
          )
        : new PcapSource(options, this.accounting);
    for (const { host, name: link } of links) this.source.watch({ index: host, name: link, appearedUs: 0 });
  }

  /** Resolves when everything that was sent before is in records. */
  async settle(): Promise<void> {
    const sinceUs = nowUs();
    while (this.source.drain(nowUs(), (record) => this.#keep(record)) < sinceUs) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    this.unrecorded.refresh(nowUs(), () => undefined);
  }

  #keep(record: ConnectionRecord): void {
    if (this.#keeps(record)) this.records.push(record);
  }
}
