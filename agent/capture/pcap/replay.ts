// Turns a capture file into connection records, for `waybill replay`.
import type { PacketAccounting } from '../../../accounting/accounting.ts';
import type { Problem } from '../../../model/problem.ts';
import type { ConnectionRecord } from '../../../model/record.ts';
import { Fragments } from '../decode/fragments.ts';
import { decodeFrame } from '../decode/frame.ts';
import { Packet } from '../decode/packet.ts';
import { unknownLinkType } from '../errors.ts';
import { FlowTable, fileInterfaceIndex } from '../flows/flow-table.ts';
import type { DnsPacket, DnsSink } from '../source.ts';
import { readCaptureFile } from './capture-file.ts';
import type { DnsClients } from './dns-clients.ts';
import { directionByPort, dnsPacketOf } from './dns-packet.ts';

export type ReplayOptions = {
  maxConnections: number;
  /** Receives DNS packets, always before the records of the same time. */
  dnsSink: DnsSink;
  /** The number of a DNS client, in place of an interface index. */
  clients: DnsClients;
  onProgress(bytes: number): void;
  /** Receives the records until `untilUs`, at intervals and once at the end of the file. */
  onRecords(records: ConnectionRecord[], untilUs: number): void;
};

/** In the file's time. */
const drainEveryUs = 5_000_000;

/** Counts every packet of the file in `accounting`. For tunnels, the inner packet is recorded. */
export async function replayFile(
  path: string,
  accounting: PacketAccounting,
  options: ReplayOptions,
): Promise<Problem[]> {
  const replay = new Replay(accounting, options);
  const read = await readCaptureFile(
    path,
    (bytes, start, end, length, linkType, source, timeUs) =>
      replay.onFrame(bytes, start, end, length, linkType, source, timeUs),
    options.onProgress,
  );
  replay.finish();
  return [...read.problems, ...[...replay.unknownLinkTypes].map((linkType) => unknownLinkType(path, linkType))];
}

/** A class, because V8 would make an object of each number that a closure changes. */
class Replay {
  readonly unknownLinkTypes = new Set<number>();
  readonly #accounting: PacketAccounting;
  readonly #options: ReplayOptions;
  readonly #table: FlowTable;
  readonly #fragments = new Fragments();
  readonly #packet = new Packet('decapsulate');
  #latestUs = 0;
  /** A packet later than this causes a drain; the first packet starts the interval. */
  #drainAfterUs = Number.NEGATIVE_INFINITY;

  constructor(accounting: PacketAccounting, options: ReplayOptions) {
    this.#accounting = accounting;
    this.#options = options;
    const { maxConnections } = options;
    this.#table = new FlowTable({ maxConnections, reportEveryUs: Number.POSITIVE_INFINITY }, accounting);
  }

  /** hot, once a packet: make bench-capture, budget replay-vs-nfpcapd */
  onFrame(
    bytes: Uint8Array,
    start: number,
    end: number,
    length: number,
    linkType: number,
    source: number,
    timeUs: number,
  ): void {
    const packet = this.#packet;
    this.#accounting.seen(1, length);
    if (timeUs > this.#latestUs) this.#latestUs = timeUs;
    if (timeUs > this.#drainAfterUs) this.#drain(timeUs);
    const decoded = decodeFrame(linkType, bytes, start, end, length, this.#fragments, packet);
    switch (decoded) {
      case 'packet':
        if (packet.dnsStart !== 0) this.#onDns(packet, bytes, timeUs);
        this.#table.add(packet, packet.interfaceIndex === 0 ? source : packet.interfaceIndex, 'not-at-pod', timeUs);
        return;
      case 'not-ip':
      case 'carrier':
        this.#accounting.ignored(decoded, 1, length);
        return;
      case 'unknown-link-type':
        this.unknownLinkTypes.add(linkType);
        this.#accounting.lost(decoded, 1, length);
        return;
      default:
        this.#accounting.lost(decoded, 1, length);
    }
  }

  /** Nobody knows at whose interface a file was captured: a client is known by its address. */
  #onDns(packet: Packet, bytes: Uint8Array, timeUs: number): void {
    const direction = directionByPort(packet);
    if (direction === undefined) return;
    const { dnsSink, clients } = this.#options;
    const dnsPacket = dnsPacketOf(packet, bytes, 0, direction, timeUs);
    if (dnsPacket === undefined) return;
    const number =
      clients.find(dnsPacket.client) ?? (direction === 'from-pod' ? this.#addClient(dnsPacket) : undefined);
    if (number === undefined) return;
    dnsSink.receive({ type: 'packet', ...dnsPacket, interfaceIndex: number });
  }

  #addClient({ client, timeUs }: DnsPacket): number | undefined {
    const { dnsSink, clients } = this.#options;
    const number = clients.add(client);
    if (number !== undefined) {
      dnsSink.receive({ type: 'watched', interfaceIndex: number, atUs: timeUs, isNew: false });
    }
    return number;
  }

  finish(): void {
    const records: ConnectionRecord[] = [];
    this.#table.finish((record) => records.push(record));
    this.#options.onRecords(records, this.#latestUs);
  }

  #drain(untilUs: number): void {
    const isFirst = this.#drainAfterUs === Number.NEGATIVE_INFINITY;
    this.#drainAfterUs = untilUs + drainEveryUs;
    if (isFirst) {
      this.#table.watch(fileInterfaceIndex, untilUs, 'before');
      return;
    }
    const records: ConnectionRecord[] = [];
    this.#table.drain(untilUs, (record) => records.push(record));
    this.#options.onRecords(records, untilUs);
  }
}
