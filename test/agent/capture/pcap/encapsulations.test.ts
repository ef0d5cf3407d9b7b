// The same traffic in every link type, header and tunnel that is opened: `waybill replay` sees the same connections.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { linkTypes } from '../../../../agent/capture/decode/link-type.ts';
import { DnsClients } from '../../../../agent/capture/pcap/dns-clients.ts';
import { replayFiles } from '../../../../agent/capture/pcap/replay.ts';
import type { ConnectionRecord } from '../../../../model/record.ts';
import { pcapFile, section } from '../../../scene/captures.ts';
import { headers, type IpPacket, links, tunnels } from '../../../scene/encapsulations.ts';
import { folderFor } from '../../../scene/file-read.ts';
import {
  type Body,
  echoOf,
  ethernet,
  icmp,
  icmp6,
  ip4,
  ip6,
  join as joined,
  sctp,
  tcp,
  udp,
} from '../../../scene/packets.ts';
import { t0 } from '../../../scene/records.ts';

/** TCP with handshake and shutdown, UDP, SCTP, an echo, and a refused datagram, over IPv4 and IPv6. */
const traffic: readonly IpPacket[] = [
  ...conversations(
    (body) => ip4('10.0.1.2', '10.0.2.3', body),
    (body) => ip4('10.0.2.3', '10.0.1.2', body),
    icmp,
    8,
    0,
  ),
  ...conversations(
    (body) => ip6('fd00::2', 'fd00::3', body),
    (body) => ip6('fd00::3', 'fd00::2', body),
    icmp6,
    128,
    129,
  ),
  ip4('10.0.2.3', '10.0.1.2', icmp(3, 3, 4, ip4('10.0.1.2', '10.0.2.3', udp(40_002, 161)).bytes)),
  ip6('fd00::3', 'fd00::2', icmp6(1, 4, 4, ip6('fd00::2', 'fd00::3', udp(40_002, 161)).bytes)),
];

function conversations(
  there: (body: Body) => IpPacket,
  back: (body: Body) => IpPacket,
  echo: typeof icmp,
  request: number,
  reply: number,
): IpPacket[] {
  return [
    there(tcp(40_000, 5432, 'S', { sequence: 100 })),
    back(tcp(5432, 40_000, 'SA', { sequence: 700, acknowledged: 101 })),
    there(tcp(40_000, 5432, 'PA', { sequence: 101, acknowledged: 701, payload: 33 })),
    back(tcp(5432, 40_000, 'PA', { sequence: 701, acknowledged: 134, payload: 101 })),
    there(tcp(40_000, 5432, 'FA', { sequence: 134, acknowledged: 802 })),
    back(tcp(5432, 40_000, 'FA', { sequence: 802, acknowledged: 135 })),
    there(udp(40_001, 443, 60)),
    back(udp(443, 40_001, 90)),
    there(sctp(40_003, 3868, 1)),
    back(sctp(3868, 40_003, 2)),
    there(echo(request, 0, echoOf(9), 20)),
    back(echo(reply, 0, echoOf(9), 20)),
    there(udp(40_002, 161)),
  ];
}

/** All fields of the records but bytes and interfaces, which depend on the encapsulation. */
async function connections(t: Test, file: Buffer) {
  const path = join(folderFor(t), 'some.pcap');
  writeFileSync(path, file);
  const accounting = new PacketAccounting();
  const records: ConnectionRecord[] = [];
  const { problems } = await replayFiles([path], accounting, {
    maxConnections: 1000,
    dnsSink: { receive: () => undefined },
    clients: new DnsClients(10),
    onProgress: () => undefined,
    onRecords: (some) => records.push(...some),
  });
  const { seen, ignored, lost } = accounting.snapshot();
  const essence = records.map(({ bytes, interfaceIndex, ...rest }) => rest);
  return { records: essence, seen, ignored, lost, problems };
}

const capture = (frames: readonly Buffer[], linkType: number = linkTypes.ethernet) =>
  pcapFile(
    frames.map((frame, i) => ({ frame, timeUs: t0 + i * 1000 })),
    { linkType },
  );

t.test('the same connections in every link type, header and tunnel', async (t) => {
  const expected = await connections(t, capture(traffic.map(ethernet)));
  t.equal(expected.records.length, 10);
  t.same(expected.lost, {});
  for (const { name, linkType, wrap } of links)
    t.same(await connections(t, capture(traffic.map(wrap), linkType)), expected, name);
  for (const { name, wrap } of headers) {
    t.same(await connections(t, capture(traffic.map((packet) => ethernet(wrap(packet))))), expected, name);
  }
  for (const { name, wrap } of tunnels) {
    t.same(await connections(t, capture(traffic.map((packet) => ethernet(wrap(packet))))), expected, name);
  }
});

t.test('packets of one connection in many encapsulations and link types of a file are one connection', async (t) => {
  const expected = await connections(t, capture(traffic.map(ethernet)));
  const { head, interface: link, packet } = section();
  const interfaces = links.map(({ linkType }) => link(linkType));
  const packets = traffic.map((one, i) => {
    const around = tunnels[i % tunnels.length]!;
    return packet(t0 + i * 1000, ethernet(headers[i % headers.length]!.wrap(around.wrap(one))), 1);
  });
  t.same(await connections(t, joined(head, ...interfaces, ...packets)), expected);
});

t.test('packets in too many tunnels are counted as lost, with a reason', async (t) => {
  const gre = tunnels.find(({ name }) => name === 'GRE')!;
  let deep = traffic[0]!;
  for (let i = 0; i < 40; i++) deep = gre.wrap(deep);
  const { records, lost } = await connections(t, capture([ethernet(deep), ethernet(deep)]));
  t.same({ records, lost }, { records: [], lost: { 'nested-too-deep': 2 } });
});

t.test('an encrypted 802.11 frame is lost, with a reason', async (t) => {
  const wifi = links.find(({ name }) => name === '802.11')!;
  const frame = wifi.wrap(traffic[0]!);
  frame[1]! |= 0x40;
  frame.fill(0x77, 26);
  const { lost, ignored } = await connections(t, capture([frame], wifi.linkType));
  t.same({ lost, ignored }, { lost: { unopened: 1 }, ignored: {} });
});
