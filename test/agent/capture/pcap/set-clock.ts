// Runs in a network namespace of its own. Real packets pass a pod's interface while the wall clock of the node is set. A test
// cannot set the clock of this machine, so it adds the same difference to the wall clock and to the times of the packets.
// Prints as JSON the connections' times, and when their packets were sent.
//   node set-clock.ts STEP...   steps in milliseconds
import { setTimeout } from 'node:timers/promises';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { PcapSource } from '../../../../agent/capture/pcap/source.ts';
import { SteadyClock } from '../../../../cluster/steady-clock.ts';
import type { ConnectionRecord } from '../../../../model/record.ts';
import { exchange, makePair } from '../ebpf/node-link.ts';

export type SetClock = { port: number; sentUs: number; times: { firstUs: number; lastUs: number; ended: boolean }[] }[];

const stepsMs = process.argv.slice(2).map(Number);
let setMs = 0;
const { timeOrigin } = performance;
const clock = new SteadyClock(
  {
    wallMs: () => Date.now() + setMs,
    monotonicMs: () => performance.now(),
    uptimeSeconds: () => performance.now() / 1000,
    originMs: timeOrigin,
  },
  () => undefined,
);
const trueUs = () => (timeOrigin + performance.now()) * 1000;
const source = new PcapSource(
  {
    bufferBytes: 1 << 20,
    maxConnections: 1_000,
    reportEveryUs: 1,
    nowUs: clock.nowUs,
    fromWallUs: (wallUs) => clock.fromWallUs(wallUs + setMs * 1000),
    seed: 7,
  },
  new PacketAccounting(),
);
const pair = makePair();
source.watch({ index: pair.host, name: 'host', appearedUs: 0 });

const records: ConnectionRecord[] = [];
const sent: { port: number; sentUs: number }[] = [];
const send = (port: number) => {
  sent.push({ port, sentUs: trueUs() });
  exchange(pair, port);
};
const drain = () => source.drain(clock.nowUs(), (record) => records.push(record));

let port = 1000;
// A new link drops packets until the kernel has noticed its carrier.
while (records.length === 0) {
  exchange(pair, port);
  await setTimeout(20);
  drain();
}
for (const stepMs of stepsMs) {
  send(++port);
  await setTimeout(30);
  drain();
  setMs += stepMs;
  send(++port);
  await setTimeout(30);
  drain();
}
await setTimeout(100);
drain();

const timesOf = (wanted: number) =>
  records
    .filter(({ initiatorPort, responderPort }) => initiatorPort === wanted || responderPort === wanted)
    .map(({ firstUs, lastUs, ended }) => ({ firstUs, lastUs, ended }));
const result: SetClock = sent.map((one) => ({ ...one, times: timesOf(one.port) }));
process.stdout.write(JSON.stringify(result));
process.exit(0);
