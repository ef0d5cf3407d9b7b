// Runs in a network namespace of its own. Between two drains the machine seems to be suspended: the agent's clock gains 30 s
// on the kernel's. Prints as JSON the records, and the times at which the packets were sent.
//   node suspended.ts SOURCE
import { setTimeout } from 'node:timers/promises';
import { pino } from 'pino';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';
import { KernelSource } from '../../../../agent/capture/ebpf/source.ts';
import type { ConnectionRecord } from '../../../../model/record.ts';
import { nowUs as awakeUs, exchange, makePair } from './node-link.ts';

export type Suspended = { sentUs: Record<number, number>; times: Record<number, { firstUs: number; lastUs: number }> };

const [beforePort, afterPort, laterPort] = [1001, 1002, 1003];
const suspendedUs = 30_000_000;
const name = process.argv[2] as 'ebpf' | 'tap';
let asleepUs = 0;
const nowUs = () => awakeUs() + asleepUs;
const options = { maxConnections: 1_000, reportEveryUs: 1, nowUs, seed: 7 };
const handlers = { translation: () => undefined, dns: () => undefined };
const log = pino({ level: 'silent' });
const source = new KernelSource(name, loadProgram(name, 1_000), options, new PacketAccounting(), handlers, log);
const pair = makePair();
source.watch({ index: pair.host, name: 'host', appearedUs: 0 });

const records: ConnectionRecord[] = [];
const sentUs: Record<number, number> = {};
const send = (port: number) => {
  sentUs[port] = nowUs();
  exchange(pair, port);
};
/** Reads the table that no longer fills. */
async function readOnce(): Promise<number> {
  for (;;) {
    const coveredUntilUs = source.drain(nowUs(), (record) => records.push(record));
    if (coveredUntilUs > 0) return coveredUntilUs;
    await setTimeout(2);
  }
}

// A new link drops packets until the kernel has noticed its carrier. The first reads also find the tick rate.
for (let i = 0; i < 4 || records.length === 0; i++) {
  exchange(pair, 1000);
  await readOnce();
  await setTimeout(100);
}
send(beforePort);
await readOnce();
asleepUs += suspendedUs;
send(afterPort);
for (let i = 0; i < 3; i++) await readOnce();
send(laterPort);
await source.close((record) => records.push(record));

const times: Suspended['times'] = {};
for (const { initiatorPort, responderPort, firstUs, lastUs } of records) {
  const port = Math.max(initiatorPort, responderPort);
  if (port in sentUs) times[port] ??= { firstUs, lastUs };
}
process.stdout.write(JSON.stringify({ sentUs, times } satisfies Suspended));
process.exit(0);
