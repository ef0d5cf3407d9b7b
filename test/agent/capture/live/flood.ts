// Runs in a network namespace of its own, with three pods: one of them floods, one is flooded from outside, and one does what
// it always does. Prints as JSON which connections have a record, and what is added up instead.
//   node flood.ts SOURCE MAX-CONNECTIONS
import type { WireGap, WireUnrecorded } from '../../../../proto/wire.ts';
import { ethernet, ip4, tcp, udp } from '../../../scene/packets.ts';
import { addPodLink, nowUs, type PodLink, passed, sendFrames, Watched } from './pod-links.ts';

export type Flooded = {
  passed: number;
  accounted: number;
  lost: Record<string, number>;
  /** By pod: initiator ports of TCP connections with an answer, and of datagrams without an answer. */
  recorded: Record<string, { answered: number[]; unanswered: number[] }>;
  /** Packets without a record, by pod, direction, protocol, port and zone. */
  unrecorded: Record<string, number>;
  gaps: { ended: boolean; filledBy: string }[];
};

const synCount = 160_000;
const turns = 20;
const perTurn = 5;
const firstPort = 20_000;
const web = '10.0.1.2';
const db = '10.0.2.3';
const forbidden = { address: '10.0.9.9', port: 514 };

const [name, maxConnections] = process.argv.slice(2) as [string, string];
const [attacker, ingress, honest] = ['wbattacker', 'wbingress', 'wbhonest'].map(addPodLink) as [
  PodLink,
  PodLink,
  PodLink,
];
const links = [attacker, ingress, honest];
const watched = new Watched(name, Number(maxConnections), links);

/** A SYN to an address of its own. */
function synTo(i: number): Buffer {
  const address = `203.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
  return ethernet(ip4(web, address, tcp(1_024 + (i % 60_000), 443, 'S', { sequence: i })));
}

/** A SYN from an address of its own. */
function synFrom(i: number): Buffer {
  const address = `198.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
  return ethernet(ip4(address, web, tcp(1_024 + (i % 60_000), 80, 'S', { sequence: i })));
}

/** The pod connects to a server, and sends a datagram that nobody answers. */
function useNetwork(link: PodLink, port: number): void {
  sendFrames(link, 'from-pod', [
    ethernet(ip4(web, db, tcp(port, 5432, 'S'))),
    ethernet(ip4(web, db, udp(port, 8125, 20))),
  ]);
  sendFrames(link, 'to-pod', [ethernet(ip4(db, web, tcp(5432, port, 'SA', { acknowledged: 1001 })))]);
  sendFrames(link, 'from-pod', [ethernet(ip4(web, db, tcp(port, 5432, 'A', { sequence: 1001 })))]);
}

/** Somebody outside connects to the pod. */
function serve(link: PodLink, port: number): void {
  sendFrames(link, 'to-pod', [ethernet(ip4(db, web, tcp(port, 80, 'S')))]);
  sendFrames(link, 'from-pod', [ethernet(ip4(web, db, tcp(80, port, 'SA', { acknowledged: 1001 })))]);
  sendFrames(link, 'to-pod', [ethernet(ip4(db, web, tcp(port, 80, 'A', { sequence: 1001 })))]);
}

for (let turn = 0; turn < turns; turn++) {
  const syns = Array.from({ length: synCount / turns }, (_, i) => (turn * synCount) / turns + i);
  sendFrames(attacker, 'from-pod', syns.map(synTo));
  sendFrames(ingress, 'to-pod', syns.map(synFrom));
  for (let i = 0; i < perTurn; i++) {
    const port = firstPort + turn * perTurn + i;
    useNetwork(honest, port);
    serve(ingress, port);
  }
  if (turn === turns - 1) {
    const datagram = ethernet(ip4(web, forbidden.address, udp(65_000, forbidden.port, 20)));
    sendFrames(attacker, 'from-pod', [...syns.slice(0, 1_000).map(synTo), datagram]);
  }
  // libpcap's buffers are small. A table in the kernel holds several turns, but not all of them.
  if (name === 'pcap' || turn % 5 === 4) await watched.settle();
}
await watched.settle();
await watched.source.close((record) => watched.records.push(record));
watched.unrecorded.refresh(nowUs() + 2_000_000, () => undefined);

const podOf = new Map(links.map(({ host, name }) => [host, name.slice(2)]));
const recorded: Flooded['recorded'] = {};
for (const { interfaceIndex, protocol, initiatorPort, responderPort, answered } of watched.records) {
  if (responderPort === 443 || (responderPort === 80 && !answered)) continue;
  const pod = podOf.get(interfaceIndex)!;
  recorded[pod] ??= { answered: [], unanswered: [] };
  const of = recorded[pod];
  if (protocol === 17) of.unanswered.push(initiatorPort);
  else if (answered) of.answered.push(initiatorPort);
}
const unrecorded: Flooded['unrecorded'] = {};
const add = (index: number, { reason, direction, protocol, port, zone, packets }: WireUnrecorded) => {
  const key = [podOf.get(index) ?? index, reason, direction, protocol, port, zone].join(' ');
  unrecorded[key] = (unrecorded[key] ?? 0) + packets;
};
const { gaps } = watched.unrecorded.wire();
for (const { interfaces } of gaps) for (const one of interfaces) for (const sum of one.unrecorded) add(one.index, sum);
const { seen, stored, ignored, lost } = watched.accounting.snapshot();
const inRecords = watched.records.reduce((sum, { frames }) => sum + frames, 0);
const counted = [...Object.values(ignored), ...Object.values(lost)].reduce((sum, one) => sum + one, 0);
const result: Flooded = {
  passed: links.reduce((sum, link) => sum + passed(link.name), 0),
  accounted: seen === inRecords + stored + counted ? seen : -1,
  lost: lost as Record<string, number>,
  recorded: Object.fromEntries(
    Object.entries(recorded).map(([pod, { answered, unanswered }]) => [
      pod,
      { answered: sorted(answered), unanswered: sorted(unanswered) },
    ]),
  ),
  unrecorded,
  gaps: gaps.map(({ ended, interfaces }) => ({ ended, filledBy: podOf.get(fullest(interfaces)) ?? '' })),
};
process.stdout.write(JSON.stringify(result));
process.exit(0);

function fullest(interfaces: WireGap['interfaces']): number {
  return interfaces.toSorted((a, b) => b.unanswered - a.unanswered)[0]!.index;
}

function sorted(ports: readonly number[]): number[] {
  return [...new Set(ports)].sort((a, b) => a - b);
}
