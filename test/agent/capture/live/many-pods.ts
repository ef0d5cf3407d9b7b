// Runs in a network namespace of its own. One of many pods fills the table of the kernel, and then each of the others makes a
// few connections, before the table is read. Prints as JSON how many pods have records of all of theirs.
//   node many-pods.ts SOURCE PODS
import { ethernet, ip4, tcp } from '../../../scene/packets.ts';
import { addPodLink, sendFrames, Watched } from './pod-links.ts';

export type ManyPods = { complete: number; synsRecorded: number };

const [source, podCount] = process.argv.slice(2) as [string, string];
const syns = 60_000;
const perPod = 8;
const web = '10.0.1.2';

const links = Array.from({ length: Number(podCount) }, (_, i) => addPodLink(`wb${i}`));
const [attacker, ...others] = links;
const watched = new Watched(source, 20_000, links);
// Interfaces get their part of the table when the next table fills.
await watched.settle();
await watched.settle();
const synTo = (i: number) =>
  ethernet(ip4(web, `203.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, tcp(1_024 + i, 443, 'S', { sequence: i })));
sendFrames(
  attacker!,
  'from-pod',
  Array.from({ length: syns }, (_, i) => synTo(i)),
);
for (const link of others) {
  sendFrames(
    link,
    'from-pod',
    Array.from({ length: perPod }, (_, i) => ethernet(ip4(web, '10.0.2.3', tcp(20_000 + i, 5432, 'S')))),
  );
}
await watched.settle();
const portsOf = new Map(links.map(({ host }) => [host, new Set<number>()]));
for (const record of watched.records) portsOf.get(record.interfaceIndex)!.add(record.initiatorPort);
const result: ManyPods = {
  complete: others.filter(({ host }) => portsOf.get(host)!.size === perPod).length,
  synsRecorded: watched.records.filter((record) => record.interfaceIndex === attacker!.host).length,
};
process.stdout.write(JSON.stringify(result));
process.exit(0);
