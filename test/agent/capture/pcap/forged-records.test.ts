import t from 'tap';
import { pcapFile, pcapRecord, section } from '../../../scene/captures.ts';
import { readBytes } from '../../../scene/file-read.ts';
import { matchEach } from '../../../scene/match-each.ts';
import { ethernet, ip4, join, tcp, udp } from '../../../scene/packets.ts';
import { second, t0 } from '../../../scene/records.ts';

const { head, interface: link, packet, simplePacket, oldPacket } = section();

/** A handshake in which the sender of the data claims to be 10.0.9.9. */
const handshake = [
  ethernet(ip4('10.0.9.9', '10.0.2.3', tcp(41_000, 22, 'S'))),
  ethernet(ip4('10.0.2.3', '10.0.9.9', tcp(22, 41_000, 'SA'))),
  ethernet(ip4('10.0.9.9', '10.0.2.3', tcp(41_000, 22, 'A'))),
];
const before = ethernet(ip4('10.0.1.2', '10.0.2.3', tcp(40_000, 80, 'A')));
/** Records of a capture file as the data of a packet. */
const carrying = (records: Buffer) =>
  join(ethernet(ip4('10.0.1.2', '10.0.2.3', udp(40_000, 9000))), 38, records, Buffer.alloc(400));
const forged = {
  pcap: join(...handshake.map((frame, i) => pcapRecord({ frame, timeUs: t0 + i * second }))),
  pcapng: join(...handshake.map((frame) => packet(t0, frame))),
  section: join(head, link(), ...handshake.map((frame) => packet(t0, frame))),
};

t.test('records in the data of a truncated last packet are not read', async (t) => {
  const files: Record<string, Buffer> = {
    pcap: pcapFile([{ frame: before }, { frame: carrying(forged.pcap) }]),
    'pcap in pcap': pcapFile([{ frame: before }, { frame: carrying(pcapFile(handshake.map((frame) => ({ frame })))) }]),
    enhanced: join(head, link(), packet(t0, before), packet(t0, carrying(forged.pcapng))),
    section: join(head, link(), packet(t0, before), packet(t0, carrying(forged.section))),
    old: join(head, link(), packet(t0, before), oldPacket(t0, carrying(forged.pcapng))),
    simple: join(head, link(), packet(t0, before), simplePacket(carrying(forged.pcapng))),
  };
  for (const [name, file] of Object.entries(files)) {
    const { packets, lines } = await readBytes(t, file.subarray(0, -300));
    matchEach(t, packets, [{ frame: before }]);
    t.match(lines, [/^capture-file-truncated: .*; read 1 packet before it; /], name);
    t.equal(lines.length, 1, name);
  }
});

t.test('records in the data of a packet with a damaged header are doubtful, and all after them', async (t) => {
  const carrier = pcapRecord({ frame: carrying(forged.pcap) });
  carrier.fill(0xff, 0, 16);
  const pcap = await readBytes(t, join(pcapFile([{ frame: before }]), carrier, pcapRecord({ frame: before })));
  t.equal(pcap.packets.length - pcap.doubtful, 1);
  const block = packet(t0, carrying(forged.pcapng));
  block.fill(0xff, 4, 28);
  const ng = await readBytes(t, join(head, link(), packet(t0, before), block, packet(t0, before)));
  t.equal(ng.packets.length - ng.doubtful, 1);
});

t.test('a pcapng block with a fault is skipped as a whole, and the packets after it are certain', async (t) => {
  const block = packet(t0, carrying(forged.pcapng), 7);
  const { packets, doubtful, lines } = await readBytes(t, join(head, link(), block, packet(t0, before)));
  matchEach(t, packets, [{ frame: before }]);
  t.equal(doubtful, 0);
  matchEach(t, lines, [/a packet names interface 7, which the section does not have; skipped /]);
});

t.test('a wrong captured length: the length on the wire leads to the next packet, which is certain', async (t) => {
  for (const wrong of [0xffffffff, 200_000]) {
    const carrier = pcapRecord({ frame: carrying(forged.pcap) });
    carrier.writeUInt32LE(wrong, 8);
    const file = join(pcapFile([{ frame: before }]), carrier, ...[1, 2, 3].map(() => pcapRecord({ frame: before })));
    const { packets, doubtful } = await readBytes(t, file);
    t.ok(packets.slice(0, packets.length - doubtful).every(({ frame }) => frame.equals(before)));
    if (wrong === 0xffffffff) t.same([packets.length, doubtful], [4, 0]);
  }
});
