import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { DnsClients } from '../../../../agent/capture/pcap/dns-clients.ts';
import { replayFile } from '../../../../agent/capture/pcap/replay.ts';
import type { DnsPacket } from '../../../../agent/capture/source.ts';
import { problemLine } from '../../../../model/problem.ts';
import type { ConnectionRecord } from '../../../../model/record.ts';
import { type Captured, pcapFile, section } from '../../../scene/captures.ts';
import { folderFor } from '../../../scene/file-read.ts';
import { matchEach } from '../../../scene/match-each.ts';
import * as packets from '../../../scene/packets.ts';
import { arp, cooked2, ethernet, ip4, middle, tcp, udp, vxlan } from '../../../scene/packets.ts';
import { second, t0 } from '../../../scene/records.ts';

type DnsMessage = DnsPacket & { text: string };

async function replayed(t: Test, file: Buffer, maxConnections = 1000) {
  const path = join(folderFor(t), 'some.pcap');
  writeFileSync(path, file);
  const accounting = new PacketAccounting();
  const dnsMessages: DnsMessage[] = [];
  const batches: { records: ConnectionRecord[]; untilUs: number }[] = [];
  const problems = await replayFile(path, accounting, {
    maxConnections,
    dnsSink: {
      receive: (event) => {
        if (event.type === 'packet') dnsMessages.push({ ...event, text: Buffer.from(event.payload).toString() });
      },
    },
    clients: new DnsClients(100),
    onProgress: () => undefined,
    onRecords: (records, untilUs) => batches.push({ records, untilUs }),
  });
  const records = batches.flatMap((batch) => batch.records);
  return { batches, records, dnsMessages, accounting: accounting.snapshot(), lines: problems.map(problemLine) };
}

function between(body: packets.Body, reply: packets.Body): Captured[] {
  return [
    { frame: ethernet(ip4('10.0.1.2', '10.0.2.3', body)), timeUs: t0 },
    { frame: ethernet(ip4('10.0.2.3', '10.0.1.2', reply)), timeUs: t0 + 500 },
  ];
}

t.test('a file becomes connection records at the observation point host', async (t) => {
  const handshake = between(tcp(40000, 80, 'S'), tcp(80, 40000, 'SA', { acknowledged: 1001 }));
  const { records, accounting, lines } = await replayed(t, pcapFile(handshake));
  matchEach(t, records, [
    {
      initiator: '10.0.1.2',
      initiatorPort: 40000,
      responder: '10.0.2.3',
      responderPort: 80,
      point: 'host',
      rttUs: 500,
    },
  ]);
  t.same(accounting.seen, 2);
  t.same(lines, []);
});

t.test('every packet of the file is in a record, ignored, or lost with a reason', async (t) => {
  const frames = [
    ...between(udp(40000, 53), udp(53, 40000)).map(({ frame }) => frame),
    ethernet(arp()),
    ethernet(ip4('10.0.1.2', '10.0.2.3', middle(17), { offset: 800 })),
    ethernet(ip4('10.0.1.2', '10.0.2.3', tcp(1, 2))).subarray(0, 40),
    ethernet(ip4('192.0.2.1', '192.0.2.2', udp(1, 4789, vxlan(ethernet(ip4('10.0.1.2', '10.0.2.3', udp(40000, 53))))))),
    ethernet(ip4('10.0.1.9', '10.0.2.3', udp(40000, 53))),
  ];
  const { records, accounting } = await replayed(t, pcapFile(frames.map((frame) => ({ frame }))), 1);
  t.match(accounting, {
    seen: 7,
    ignored: { 'not-ip': 1 },
    lost: { 'fragment-without-first': 1, corrupt: 1, 'table-full': 1 },
  });
  matchEach(
    t,
    records,
    [{ packets: { forward: 2, reverse: 1 } }],
    'the packet in the tunnel belongs to the same connection',
  );
});

t.test('a packet at two interfaces is recorded at both, whether the file or the frame names them', async (t) => {
  const content = ip4('10.0.1.2', '10.0.2.3', udp(40000, 53));
  const cooked = [3, 4].map((index) => ({ frame: cooked2(content, index) }));
  matchEach(t, (await replayed(t, pcapFile(cooked, { linkType: 276 }))).records, [
    { interfaceIndex: 3, packets: { forward: 1 } },
    { interfaceIndex: 4, packets: { forward: 1 } },
  ]);
  const { head, interface: link, packet } = section();
  const ng = packets.join(head, link(), link(), packet(t0, ethernet(content), 0), packet(t0, ethernet(content), 1));
  matchEach(t, (await replayed(t, ng)).records, [{ interfaceIndex: 0 }, { interfaceIndex: 1 }]);
});

t.test('records are emitted at intervals of the file’s time, and at its end', async (t) => {
  const at = (s: number, from: number) => ({
    frame: ethernet(ip4('10.0.1.2', '10.0.2.3', udp(from, 53))),
    timeUs: t0 + s * second,
  });
  const { batches } = await replayed(t, pcapFile([at(0, 1), at(1, 2), at(7, 3), at(8, 1)]));
  t.same(
    batches.map(({ records, untilUs }) => [(untilUs - t0) / second, records.map((one) => one.initiatorPort)]),
    [
      [7, [1, 2]],
      [8, [1, 3]],
    ],
  );
});

t.test('an unsupported link type is reported once, and its packets are lost', async (t) => {
  const { accounting, lines } = await replayed(
    t,
    pcapFile([{ frame: Buffer.alloc(60) }, { frame: Buffer.alloc(60) }], { linkType: 105 }),
  );
  t.same(accounting.lost, { 'unknown-link-type': 2 });
  t.equal(lines.length, 1);
  t.match(lines[0], /^capture-link-type-unknown: .*: link type 105 is not supported; /);
});

t.test('DNS packets are passed on with their ends, without headers', async (t) => {
  const [server, pod] = ['10.96.0.10', '10.0.1.2'];
  const segment = (from: number, to: number, flags: string, payload: Buffer) => {
    const { protocol, bytes } = tcp(from, to, flags, { sequence: 5000 });
    return { protocol, bytes: packets.join(bytes, payload) };
  };
  const withOptions = (segment: packets.Body) => {
    const bytes = packets.join(segment.bytes.subarray(0, 20), 12, segment.bytes.subarray(20));
    bytes[12] = 0x80;
    return { ...segment, bytes };
  };
  const query = Buffer.from('query');
  const body = Buffer.from('reply');
  const toPod = (body: packets.Body, traits = {}) => ethernet(ip4(server, pod, body, traits));
  const frames: Buffer[] = [
    ethernet(ip4(pod, server, udp(40_000, 53, query))),
    toPod(udp(53, 40_000, body)),
    packets.join(toPod(udp(53, 40_000, body)), 18), // padded
    ethernet(packets.tagged(packets.ip6('2001:db8::2', '2001:db8::53', udp(40_000, 53, query)))),
    ethernet(packets.tagged(packets.ip6('2001:db8::53', '2001:db8::2', udp(53, 40_000, body)))),
    toPod(withOptions(segment(53, 40_000, 'PA', body))),
    toPod(segment(53, 40_000, 'SA', Buffer.alloc(0))), // the server's data begins after it
    ethernet(ip4('192.0.2.1', '192.0.2.2', udp(40_000, 4789, vxlan(toPod(udp(53, 40_000, body)))))),
    toPod(udp(53, 40_001, body), { more: true, id: 9 }), // a first fragment has the beginning
    // Not passed on: another port, segments without data, a later fragment, a packet quoted by an ICMP error, a reply to a
    // client without a query, and a packet with port 53 at both ends.
    toPod(udp(5353, 40_000, body)),
    toPod(segment(53, 40_000, 'A', Buffer.alloc(0))),
    ethernet(ip4(pod, server, segment(40_000, 53, 'S', Buffer.alloc(0)))),
    toPod(middle(17), { offset: 1480, id: 9 }),
    ethernet(ip4(pod, server, packets.icmp(3, 3, 4, ip4(server, pod, udp(53, 40_000, body)).bytes))),
    ethernet(ip4(server, '10.0.1.9', udp(53, 40_000, body))),
    ethernet(ip4(pod, server, udp(53, 53, query))),
  ];
  const { dnsMessages, accounting } = await replayed(
    t,
    pcapFile(frames.map((frame, i) => ({ frame, timeUs: t0 + i }))),
  );
  t.same(
    dnsMessages.map(({ text, interfaceIndex, direction, protocol, client, clientPort, server, sequence, timeUs }) => {
      const ends = `${interfaceIndex} ${client} ${clientPort} ${direction === 'from-pod' ? '>' : '<'} ${server}`;
      return `${timeUs - t0}: ${protocol} ${ends} ${sequence} ${text}`;
    }),
    [
      '0: 17 0 10.0.1.2 40000 > 10.96.0.10 0 query',
      '1: 17 0 10.0.1.2 40000 < 10.96.0.10 0 reply',
      '2: 17 0 10.0.1.2 40000 < 10.96.0.10 0 reply',
      '3: 17 1 2001:db8::2 40000 > 2001:db8::53 0 query',
      '4: 17 1 2001:db8::2 40000 < 2001:db8::53 0 reply',
      '5: 6 0 10.0.1.2 40000 < 10.96.0.10 5000 reply',
      '6: 6 0 10.0.1.2 40000 < 10.96.0.10 5000 ',
      '7: 17 0 10.0.1.2 40000 < 10.96.0.10 0 reply',
      '8: 17 0 10.0.1.2 40001 < 10.96.0.10 0 reply',
    ],
  );
  t.equal(accounting.seen, frames.length, 'each packet is counted once');
});
