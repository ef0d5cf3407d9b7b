// Runs in a network namespace of its own. Sends frames over the interfaces of two pods, and prints what a source reports of
// DNS, as JSON: one line of text for each event.
//   node dns-exchange.ts SOURCE FILE
// FILE has a list of {pod: 1 or 2, from: "pod" or "node", frame: HEX, times: N}.
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';
import { KernelSource } from '../../../../agent/capture/ebpf/source.ts';
import { PcapSource } from '../../../../agent/capture/pcap/source.ts';
import type { CaptureSource, DnsEvent } from '../../../../agent/capture/source.ts';
import { RawSender } from '../../../../bench/raw-sender.ts';
import { makePair, nowUs, shell } from '../ebpf/node-link.ts';

type Sent = { pod: 1 | 2; from: 'pod' | 'node'; frame: string; times: number };

const [name, file] = process.argv.slice(2) as ['ebpf' | 'tap' | 'pcap', string];
// A capture of libpcap begins with a packet through the loopback interface.
shell('ip link set lo up');
const pairs = [makePair('host1', 'pod1'), makePair('host2', 'pod2')];
const podOf = new Map(pairs.map(({ host }, i) => [host, i + 1]));
const events: string[] = [];
let ready = false;

function receive(event: DnsEvent): void {
  const pod = podOf.get(event.interfaceIndex);
  if (event.type !== 'packet' && event.type !== 'sent-as-server') {
    events.push(`${pod} ${event.type}`);
    return;
  }
  if (event.type === 'sent-as-server') {
    events.push(`${pod} itself > ${event.client} ${event.clientPort} as ${event.server} ${event.payload.length > 12}`);
    return;
  }
  const { direction, protocol, client, clientPort, server, sequence, payload, timeUs } = event;
  if (Math.abs(timeUs - nowUs()) > 60_000_000) throw new Error(`the packet is of ${timeUs}`);
  const ends = `${client} ${clientPort} ${direction === 'from-pod' ? '>' : '<'} ${server}`;
  events.push(`${pod} ${protocol} ${ends} ${sequence} ${Buffer.from(payload).toString('hex')}`);
}

function sourceOf(): CaptureSource {
  const options = { bufferBytes: 4 << 20, maxConnections: 10_000, reportEveryUs: 1_000_000, nowUs, seed: 7 };
  const accounting = new PacketAccounting();
  if (name === 'pcap') return new PcapSource(options, accounting, { receive });
  const eventHandlers = { translation: () => undefined, dns: receive };
  return new KernelSource(
    name,
    loadProgram(name, 10_000),
    options,
    accounting,
    eventHandlers,
    pino({ level: 'silent' }),
  );
}

const source = sourceOf();
for (const [i, { host }] of pairs.entries()) source.watch({ index: host, name: `host${i + 1}`, appearedUs: 0 });
for (const { pod, from, frame, times } of JSON.parse(readFileSync(file, 'utf8')) as Sent[]) {
  const { host, pod: inner } = pairs[pod - 1]!;
  const sender = new RawSender(from === 'pod' ? inner : host, [Buffer.from(frame, 'hex')]);
  for (let sent = 0; sent < times; sent++) sender.send(1);
  sender.close();
}
const sentUs = nowUs();
while (!ready) {
  ready = source.drain(nowUs(), () => undefined) > sentUs;
  await new Promise((resolve) => setTimeout(resolve, 5));
}
await source.close(() => undefined);
process.stdout.write(JSON.stringify(events), () => process.exit(0));
