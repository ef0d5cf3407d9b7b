import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { DnsClients } from '../../../../agent/capture/pcap/dns-clients.ts';
import { replayFiles } from '../../../../agent/capture/pcap/replay.ts';
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

async function replayed(t: Test, file: Buffer | readonly Buffer[], maxConnections = 1000) {
  const folder = folderFor(t);
  const paths = [file].flat().map((bytes, i) => {
    const path = join(folder, `${i}.pcap`);
    writeFileSync(path, bytes);
    return path;
  });
  const accounting = new PacketAccounting();
  const dnsMessages: DnsMessage[] = [];
  const batches: { records: ConnectionRecord[]; untilUs: number }[] = [];
  const { problems, clock } = await replayFiles(paths, accounting, {
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
  return { batches, records, dnsMessages, accounting: accounting.snapshot(), lines: problems.map(problemLine), clock };
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
    pcapFile([{ frame: Buffer.alloc(60) }, { frame: Buffer.alloc(60) }], { linkType: 147 }),
  );
  t.same(accounting.lost, { 'unknown-link-type': 2 });
  t.equal(lines.length, 1);
  t.match(lines[0], /^capture-link-type-unknown: .*: link type 147 is not supported; /);
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

function endsFrom(who: 'initiator' | 'responder'): [string, string] {
  return who === 'initiator' ? ['10.0.1.2', '10.0.2.3'] : ['10.0.2.3', '10.0.1.2'];
}

type Step = [atSeconds: number, from: 'initiator' | 'responder', body: packets.Body];

function captureOf(...steps: Step[]): Captured[] {
  return steps.map(([atSeconds, from, body]) => {
    return { frame: ethernet(ip4(...endsFrom(from), body)), timeUs: t0 + atSeconds * second };
  });
}

/** A TCP connection with all its packets at these times; the last two times are those of the FINs. */
function tcpConnection(from: number, ...times: number[]): Step[] {
  const bodies: [Step[1], packets.Body][] = [
    ['initiator', tcp(from, 80, 'S', { sequence: 100 })],
    ['responder', tcp(80, from, 'SA', { sequence: 900, acknowledged: 101 })],
    ['initiator', tcp(from, 80, 'A', { sequence: 101, acknowledged: 901 })],
    ['initiator', tcp(from, 80, 'FA', { sequence: 101, acknowledged: 901 })],
    ['responder', tcp(80, from, 'FA', { sequence: 901, acknowledged: 102 })],
  ];
  return bodies.map(([who, body], i) => [times[i] ?? times.at(-1)!, who, body]);
}

const lateFin = (from: number, at: number): Step => [
  at,
  'responder',
  tcp(80, from, 'FA', { sequence: 901, acknowledged: 102 }),
];

/** The records of each connection, by what states that they are one. */
function connections(records: readonly ConnectionRecord[]): Map<string, ConnectionRecord[]> {
  return Map.groupBy(records, (one) => `${one.initiator} ${one.initiatorPort} ${one.beganUs}`);
}

t.test('a connection has one record that says that it ended, after its late packets', async (t) => {
  const steps = [...tcpConnection(1, 0, 0.1, 0.2, 7, 7.1), lateFin(1, 12), lateFin(1, 30), lateFin(1, 60)];
  const others = [6, 13, 20, 40, 70, 140].flatMap((at): Step[] => [[at, 'initiator', udp(2 + at, 53)]]);
  const all = [...steps, ...others].sort((a, b) => a[0] - b[0]);
  const { records } = await replayed(t, pcapFile(captureOf(...all)));
  const own = records.filter((one) => one.initiatorPort === 1);
  t.equal(connections(own).size, 1);
  t.same(
    own.map(({ ended }) => ended),
    [false, true],
  );
  t.equal(own[1]!.lastUs, t0 + 60 * second);
  t.same(
    own.reduce((sum, { packets }) => sum + packets.forward + packets.reverse, 0),
    8,
  );
});

t.test('a connection goes on in the next file', async (t) => {
  const steps = tcpConnection(1, 0, 0.1, 0.2, 20, 20.1);
  const all = captureOf(...steps, [30, 'initiator', udp(9, 53)]);
  const whole = await replayed(t, pcapFile(all));
  for (let cut = 1; cut < all.length; cut++) {
    const { records, accounting } = await replayed(t, [pcapFile(all.slice(0, cut)), pcapFile(all.slice(cut))]);
    t.same(records, whole.records, `cut after ${cut} packets`);
    t.equal(accounting.seen, all.length);
  }
  t.equal(connections(whole.records).size, 2);
});

t.test('each file reports its own unsupported link type', async (t) => {
  const odd = (linkType: number) => pcapFile([{ frame: Buffer.alloc(60) }], { linkType });
  const { lines } = await replayed(t, [odd(147), odd(147), odd(106)]);
  t.same(
    lines.map((line) => /(\d)\.pcap: link type (\d+)/.exec(line)!.slice(1)),
    [
      ['0', '147'],
      ['1', '147'],
      ['2', '106'],
    ],
  );
});

t.test('packets with a time far ahead end no connection, and ageing goes on', async (t) => {
  const year = 365 * 86_400;
  for (const [wrong, count] of [
    [year, 1],
    [-year, 1],
    [year, 2],
    [-year, 8],
  ] as const) {
    const steps: Step[] = [...tcpConnection(1, 0, 0.1, 0.2, 50, 50.1)];
    for (let i = 0; i < 60; i++) steps.push([2 + i * 10, 'initiator', udp(100 + i, 53)]);
    const all = captureOf(...steps.sort((a, b) => a[0] - b[0]));
    for (let i = 4; i < 4 + count; i++) all[i] = { ...all[i]!, timeUs: t0 + (wrong + i) * second };
    const { records, accounting, clock } = await replayed(t, pcapFile(all), 16);
    t.same(accounting.lost, {}, 'idle connections leave the table');
    t.equal(connections(records).size, 61);
    t.ok(records.every(({ lastUs }) => Math.abs(lastUs - t0) < 1000 * second));
    t.same(clock, { setBack: 0, outliers: count });
  }
});

t.test(
  'a clock that is set back within a file stops no ageing, and the records have the times of the file',
  async (t) => {
    const steps: Step[] = [];
    for (let i = 0; i < 40; i++) steps.push([i * 10, 'initiator', udp(100 + i, 53)]);
    const late = captureOf(...steps).map((one) => ({ ...one, timeUs: one.timeUs! + 86_400 * second }));
    const early = captureOf(...steps.map(([at, who, { bytes, protocol }]): Step => [at, who, { bytes, protocol }]));
    for (const one of early) one.frame.writeUInt16BE(one.frame.readUInt16BE(34) + 1000, 34);
    const { records, accounting, clock, batches } = await replayed(t, pcapFile([...late, ...early]), 16);
    t.same(accounting.lost, {});
    t.equal(connections(records).size, 80);
    t.same(clock, { setBack: 1, outliers: 0 });
    const timeOf = (port: number) => records.find((one) => one.initiatorPort === port)!.beganUs - t0;
    t.equal(timeOf(100), 86_400 * second);
    t.equal(timeOf(1100), 0);
    t.equal(timeOf(1139), 390 * second);
    t.ok(batches.every(({ untilUs }, i) => i === 0 || untilUs >= batches[i - 1]!.untilUs));
  },
);

t.test('UDP with silence between its packets is as many connections as without a step of the clock', async (t) => {
  const times = [86_400, 86_400.01];
  for (let i = 1; i < 10; i++) times.push(300 * i, 300 * i + 0.01);
  const steps = times.map(
    (at, i): Step => (i % 2 === 0 ? [at, 'initiator', udp(5353, 53)] : [at, 'responder', udp(53, 5353)]),
  );
  const { records, accounting } = await replayed(t, pcapFile(captureOf(...steps)));
  t.equal(connections(records).size, 10);
  t.equal(accounting.seen, 20);
});

t.test('if the table is full, connections that ended leave it first, and nothing is lost', async (t) => {
  const steps: Step[] = [];
  for (let i = 0; i < 200; i++) steps.push(...tcpConnection(1000 + i, i * 0.01));
  const { records, accounting } = await replayed(t, pcapFile(captureOf(...steps)), 32);
  t.same(accounting.lost, {});
  t.equal(connections(records).size, 200);
});

t.test('fragments that come before the first one are in its connection; without it they are lost', async (t) => {
  const whole = udp(40_000, 53, 3000).bytes;
  const part = (from: number, to: number, id: number) =>
    ethernet(
      ip4(
        '10.0.1.2',
        '10.0.2.3',
        { protocol: 17, bytes: whole.subarray(from, to) },
        { id, offset: from, more: to < whole.length },
      ),
    );
  const frames = [part(2960, 3008, 1), part(1480, 2960, 1), part(0, 1480, 1), part(1480, 2960, 2)];
  const { records, accounting } = await replayed(t, pcapFile(frames.map((frame) => ({ frame }))));
  matchEach(t, records, [{ packets: { forward: 3, reverse: 0 }, frames: 3, bytes: { forward: 3008 + 3 * 34 } }]);
  t.match(accounting, { seen: 4, lost: { 'fragment-without-first': 1 } });
});

t.test('a handshake in tiny fragments has its initiator, and is one connection', async (t) => {
  const bodies = [...tcpConnection(40_000, 0, 0.001, 0.002, 0.003, 0.004)];
  const tiny = bodies.flatMap(([at, who, body], id) => {
    return [0, 8, 16].map((offset, i) => ({
      frame: ethernet(
        ip4(
          ...endsFrom(who),
          { ...body, bytes: body.bytes.subarray(offset, i < 2 ? offset + 8 : undefined) },
          { id, offset, more: i < 2 },
        ),
      ),
      timeUs: t0 + Math.round(at * second) + i * 10,
    }));
  });
  const { records } = await replayed(t, pcapFile(tiny));
  matchEach(t, records, [
    {
      initiator: '10.0.1.2',
      initiatorBy: 'handshake',
      isn: 100,
      answered: true,
      packets: { forward: 9, reverse: 6 },
    },
  ]);
});

t.test('the records of a scan are emitted in parts, and every connection once', async (t) => {
  const connections = 40_000;
  const scan = Array.from({ length: connections }, (_, i) => ({
    frame: ethernet(ip4('10.0.1.2', '10.0.2.3', tcp(1 + (i % 20_000), 80 + Math.floor(i / 20_000)))),
    timeUs: t0 + i,
  }));
  const { batches } = await replayed(t, pcapFile(scan), 100_000);
  const sizes = batches.map(({ records }) => records.length);
  t.ok(sizes.length > 2 && Math.max(...sizes) < 20_000, String(sizes));
  const packetsOf = ({ packets }: ConnectionRecord) => packets.forward + packets.reverse;
  t.equal(
    batches.flatMap(({ records }) => records).reduce((sum, one) => sum + packetsOf(one), 0),
    connections,
  );
});
