// Runs in a network namespace of its own. One pod sends SYNs with many sequence numbers on the same ports, and then another
// pod reuses its ports twice. Prints as JSON the records of the other pod, and what is added up instead of records.
//   node reuse.ts SOURCE
import { ethernet, ip4, tcp } from '../../../scene/packets.ts';
import { addPodLink, nowUs, sendFrames, Watched } from './pod-links.ts';

export type Reused = { honest: number[]; lost: Record<string, number>; summed: Record<string, number> };

const syns = 60_000;
const web = '10.0.1.2';
const db = '10.0.2.3';

function connection(sequence: number): Buffer[] {
  return [
    ethernet(ip4(web, db, tcp(40_000, 5432, 'S', { sequence }))),
    ethernet(ip4(web, db, tcp(40_000, 5432, 'A', { sequence: sequence + 1 }))),
    ethernet(ip4(web, db, tcp(40_000, 5432, 'RA', { sequence: sequence + 1 }))),
  ];
}

const [attacker, honest] = [addPodLink('wbattacker'), addPodLink('wbhonest')];
const watched = new Watched(process.argv[2]!, 200_000, [attacker, honest]);
const flood = Array.from({ length: syns }, (_, i) => ethernet(ip4(web, db, tcp(9, 80, 'S', { sequence: i * 7 }))));
sendFrames(attacker, 'from-pod', flood);
sendFrames(honest, 'from-pod', [1_000, 2_000, 3_000].flatMap(connection));
await watched.settle();
await watched.source.close((record) => watched.records.push(record));
watched.unrecorded.refresh(nowUs() + 2_000_000, () => undefined);
const isn = new Set<number>();
for (const record of watched.records) if (record.interfaceIndex === honest.host) isn.add(record.isn ?? -1);
const summed: Reused['summed'] = {};
for (const { interfaces } of watched.unrecorded.wire().gaps) {
  for (const { index, unrecorded } of interfaces) {
    for (const { reason, direction, protocol, port, packets } of unrecorded) {
      const key = [index === attacker.host ? 'attacker' : 'honest', reason, direction, protocol, port].join(' ');
      summed[key] = (summed[key] ?? 0) + packets;
    }
  }
}
const lost = watched.accounting.snapshot().lost as Record<string, number>;
const result: Reused = { honest: [...isn].sort((a, b) => a - b), lost, summed };
process.stdout.write(JSON.stringify(result));
process.exit(0);
