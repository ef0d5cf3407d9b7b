// Runs in a network namespace of its own. A busy pod has 60,000 answered connections, another pod floods with half-open ones,
// and then the busy pod ends its own. Prints as JSON what is recorded of the busy pod.
//   node busy.ts SOURCE
import { ethernet, ip4, tcp } from '../../../scene/packets.ts';
import { addPodLink, nowUs, sendFrames, Watched } from './pod-links.ts';

export type Busy = { connections: number; ended: number; packets: number; lost: number; floodLost: number };

const count = 60_000;
const synCount = 160_000;
const chunk = 20_000;
const web = '10.0.1.2';
const db = '10.0.2.3';

const [busy, attacker] = [addPodLink('wbbusy'), addPodLink('wbattacker')];
const watched = new Watched(process.argv[2]!, 100_000, [busy, attacker], (one) => one.interfaceIndex === busy.host);

async function exchange(direction: 'from-pod' | 'to-pod', frameOf: (port: number) => Buffer): Promise<void> {
  for (let from = 0; from < count; from += chunk) {
    const frames = Array.from({ length: Math.min(chunk, count - from) }, (_, i) => frameOf(1_024 + from + i));
    sendFrames(busy, direction, frames);
    await watched.settle();
  }
}

const out = (flags: string, sequence: number) => (port: number) =>
  ethernet(ip4(web, db, tcp(port, 5432, flags, { sequence, acknowledged: 7 })));
const back = (flags: string) => (port: number) =>
  ethernet(ip4(db, web, tcp(5432, port, flags, { sequence: 6, acknowledged: 1_001 })));

await exchange('from-pod', out('S', 1_000));
await exchange('to-pod', back('SA'));
await exchange('from-pod', out('A', 1_001));
for (let from = 0; from < synCount; from += chunk) {
  const syns = Array.from({ length: chunk }, (_, i) => {
    const at = from + i;
    const address = `203.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}`;
    return ethernet(ip4(web, address, tcp(1_024 + (at % 60_000), 443, 'S', { sequence: at })));
  });
  sendFrames(attacker, 'from-pod', syns);
  await watched.settle();
}
await exchange('from-pod', out('FA', 1_001));
await exchange('to-pod', back('FA'));
watched.unrecorded.refresh(nowUs() + 2_000_000, () => undefined);
const began = new Set<string>();
const ended = new Set<string>();
let packets = 0;
for (const record of watched.records) {
  const key = `${record.initiatorPort} ${record.beganUs}`;
  began.add(key);
  if (record.ended) ended.add(key);
  packets += record.packets.forward + record.packets.reverse;
}
const sums = watched.unrecorded.wire().gaps.flatMap(({ interfaces }) => interfaces);
const lostAt = (index: number) =>
  sums
    .filter((one) => one.index === index)
    .flatMap(({ unrecorded }) => unrecorded)
    .reduce((sum, one) => sum + one.packets, 0);
const result: Busy = {
  ...{ connections: began.size, ended: ended.size, packets },
  ...{ lost: lostAt(busy.host), floodLost: lostAt(attacker.host) },
};
process.stdout.write(JSON.stringify(result));
process.exit(0);
