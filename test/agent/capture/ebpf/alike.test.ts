// Compares the program in the kernel with the decoder in TypeScript, for frames of every kind: both find the same connections,
// packets, flags and initiators, and the same reasons for ignored and lost frames.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { type AccountingSnapshot, PacketAccounting } from '../../../../accounting/accounting.ts';
import { isIgnored } from '../../../../accounting/reasons.ts';
import { Fragments } from '../../../../agent/capture/decode/fragments.ts';
import { decodeFrame } from '../../../../agent/capture/decode/frame.ts';
import { linkTypes } from '../../../../agent/capture/decode/link-type.ts';
import { Packet } from '../../../../agent/capture/decode/packet.ts';
import { FlowTable } from '../../../../agent/capture/flows/flow-table.ts';
import type { ConnectionRecord } from '../../../../model/record.ts';
import { headers, tunnels } from '../../../scene/encapsulations.ts';
import { arp, ethernet, extension, fragment6, icmp6, ip4, ip6, middle, tcp, udp } from '../../../scene/packets.ts';
import { frame } from '../../../scene/random-frames.ts';

const script = new URL('see.ts', import.meta.url).pathname;
/** TCP headers in two fragments, also with padding of the link that looks like the rest of a reset. */
const tiny = ['S', 'PA'].flatMap((flags, n) => {
  const body = { protocol: 6, bytes: tcp(40_000 + n, 80, flags).bytes.subarray(0, 8) };
  const rest = tcp(1, 1, 'R').bytes.subarray(8);
  const first = ethernet(ip4('10.0.1.2', '10.0.2.3', body, { id: 5 + n, more: true }));
  const six = ethernet(ip6('2001:db8::2', '2001:db8::3', fragment6(body, { id: 5 + n, more: true })));
  return [first, Buffer.concat([first, rest]), six, Buffer.concat([six, rest])];
});
/** More extension headers than are followed; kernels accept them. */
const long = [8, 9, 16, 17, 20].map((headers, n) => {
  let body = tcp(41_000 + n, 80, 'S');
  for (let i = 0; i < headers; i++) body = extension(60, body);
  return ethernet(ip6('2001:db8::2', `2001:db8::${n + 3}`, body));
});
/** Offsets of the addresses in the IPv6 header that are IPv4-mapped: the source, the destination, both. */
const mapped = [[8], [24], [8, 24]].flatMap((offsets) => {
  const bodies = [
    tcp(43_000, 80, 'S'),
    udp(43_000, 53),
    extension(60, tcp(43_000, 80)),
    fragment6(udp(43_000, 53), { id: 9, more: true }),
    fragment6(middle(17, 8), { id: 9, offset: 8 }),
  ];
  const packets = bodies.map((body) => ip6('fd00::2', 'fd00::3', body));
  for (const { bytes } of packets)
    for (const at of offsets) bytes.set(Buffer.from('00000000000000000000ffff0a000102', 'hex'), at);
  const quoting = ip6('fd00::3', 'fd00::2', icmp6(1, 4, 4, packets[0]!.bytes));
  return [...packets, quoting].map((packet) => ethernet(packet));
});
const frames = [...fc.sample(frame, { numRuns: 600, seed: 20_261_124 }), ...tiny, ...long, ...mapped, ethernet(arp())];
/** A packet socket cannot send frames shorter than a link header or longer than the interface's MTU allows. */
const sendable = frames.filter(({ length }) => length > 14 && length <= 1514);

type Seen = { records: ConnectionRecord[]; accounting: AccountingSnapshot };

/** The same packets in everything that capture files open. The program in the kernel does not know the 0x9100 tag. */
const encapsulations = [...tunnels, ...headers.filter(({ name }) => name !== '0x9100 tag')];
const encapsulated = [ip4('10.0.1.2', '10.0.2.3', tcp(42_000, 80)), ip6('fd00::2', 'fd00::3', udp(42_000, 53))].flatMap(
  (inner) => encapsulations.map(({ wrap }) => ethernet(wrap(inner))),
);

function inKernel(source: string, folder: string, sendable: readonly Buffer[]): Seen {
  const file = join(folder, 'frames.json');
  writeFileSync(file, JSON.stringify(sendable.map((one) => one.toString('hex'))));
  const unshare = process.getuid?.() === 0 ? '-n' : '-rn';
  const out = execFileSync('unshare', [unshare, '--kill-child', process.execPath, script, source, file]);
  return JSON.parse(out.toString()) as Seen;
}

function inTypeScript(sendable: readonly Buffer[]): Seen {
  const accounting = new PacketAccounting();
  const table = new FlowTable({ maxConnections: 10_000, reportEveryUs: 1_000_000 }, accounting);
  const [packet, fragments] = [new Packet('opaque'), new Fragments()];
  table.watch(1, 0, 'before');
  for (const [at, one] of sendable.entries()) {
    accounting.seen(1, one.length);
    const decoded = decodeFrame(linkTypes.ethernet, one, 0, one.length, one.length, fragments, packet);
    if (decoded === 'packet') table.add(packet, 1, 'from-pod', 1 + at);
    else if (isIgnored(decoded)) accounting.ignored(decoded, 1, one.length);
    else accounting.lost(decoded, 1, one.length);
  }
  const records: ConnectionRecord[] = [];
  table.finish((record) => records.push(record));
  return { records, accounting: accounting.snapshot() };
}

/** The fields that must be equal. Times differ, and so do bytes: the kernel removes VLAN tags. */
function essence({ records }: Seen): string[] {
  return records
    .map((one) => {
      const ends = `${one.initiator} ${one.initiatorPort} ${one.responder} ${one.responderPort}`;
      const { packets, tcpFlags } = one;
      const counts = `${packets.forward}/${packets.reverse} ${tcpFlags.forward}/${tcpFlags.reverse}`;
      return `${one.protocol} ${ends} ${counts} ${one.initiatorBy} ${one.point} ${one.unreachable ? 'unreachable' : ''}`;
    })
    .sort();
}

function compare(t: Test, source: string, sent: readonly Buffer[]): void {
  const [seen, expected] = [inKernel(source, t.testdir({}), sent), inTypeScript(sent)];
  t.same(essence(seen), essence(expected));
  t.equal(seen.accounting.seen, sent.length);
  t.same(seen.accounting.lost, expected.accounting.lost);
  t.same(seen.accounting.ignored, expected.accounting.ignored);
}

for (const source of ['ebpf', 'tap']) {
  t.test(`${source}: ${sendable.length} frames, decoded like the decoder in TypeScript does`, async (t) => {
    compare(t, source, sendable);
  });

  t.test(`${source}: an IPv4-mapped address on the wire is ignored`, async (t) => {
    const { records, accounting } = inKernel(source, t.testdir({}), mapped);
    t.same(records, []);
    t.same(accounting.ignored, { 'mapped-address': mapped.length });
    t.same(accounting.lost, {});
  });
}

t.test('ebpf and tap open no tunnel and no header besides tags, like the decoder in TypeScript', async (t) => {
  for (const source of ['ebpf', 'tap']) compare(t, source, encapsulated);
});
