// Runs in a network namespace of its own. Sends frames with different link addresses towards a pod, and prints as JSON what
// the source recorded.
//   node addressed.ts SOURCE
import { ethernet, ip4, tcp, udp } from '../../../scene/packets.ts';
import { addPodLink, passed, sendFrames, Watched } from './pod-links.ts';

export type Addressed = {
  passed: number;
  seen: number;
  ignored: Record<string, number>;
  lost: Record<string, number>;
  records: { port: number; packets: number; unproven: boolean }[];
};

const pod = '10.0.1.2';
const other = '10.0.1.9';
const peer = '10.0.2.3';
const own = '020000000001';
const inside = '0200000000aa';
const neighbour = '020000000009';
const hostSide = '020000000002';

function frame(destination: string, source: string, content: Parameters<typeof ethernet>[0]): Buffer {
  return Buffer.concat([Buffer.from(destination + source, 'hex'), ethernet(content).subarray(12)]);
}

const towards = (link: string, address: string, port: number) =>
  frame(link, hostSide, ip4(peer, address, udp(9_000, port)));

const link = addPodLink('wb');
const watched = new Watched(process.argv[2]!, 1_000, [link]);
watched.source.setAddresses(link.host, { linkAddress: Buffer.from(own, 'hex'), addresses: [pod, 'fd00::2'] as never });
sendFrames(link, 'to-pod', [
  towards(own, pod, 1),
  towards(neighbour, other, 2), // flooded by a bridge
  towards(neighbour, other, 2),
  towards(neighbour, pod, 3), // a program in the pod may read it
  towards('ffffffffffff', pod, 4),
  towards('01005e000001', '224.0.0.1', 5),
  towards(inside, other, 6),
]);
await watched.settle();
// ARP is enough to learn a link address; the frame comes from a virtual machine in the pod.
sendFrames(link, 'from-pod', [frame(hostSide, inside, { etherType: 0x0806, bytes: Buffer.alloc(46) })]);
await watched.settle();
sendFrames(link, 'to-pod', [towards(inside, other, 7)]);
// A bridge with hairpin returns what the pod sent to an unknown host.
const hairpin = ip4(pod, other, tcp(7_000, 8));
sendFrames(link, 'from-pod', [frame(neighbour, own, hairpin)]);
await watched.settle();
sendFrames(link, 'to-pod', [frame(neighbour, own, hairpin)]);
await watched.settle();
await watched.source.close((record) => watched.records.push(record));
const packetsAt = new Map<number, Addressed['records'][number]>();
for (const { responderPort: port, packets, deliveryUnproven } of watched.records) {
  const known = packetsAt.get(port) ?? { port, packets: 0, unproven: false };
  known.packets += packets.forward + packets.reverse;
  known.unproven ||= deliveryUnproven;
  packetsAt.set(port, known);
}
const { seen, ignored, lost } = watched.accounting.snapshot();
const result: Addressed = {
  ...{ passed: passed(link.name), seen, ignored, lost },
  records: [...packetsAt.values()].sort((a, b) => a.port - b.port),
};
process.stdout.write(JSON.stringify(result));
process.exit(0);
