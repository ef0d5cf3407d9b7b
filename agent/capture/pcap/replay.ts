// Turns capture files into connection records, for `waybill replay`. A connection goes on from one file to the next.
import type { PacketAccounting } from '../../../accounting/accounting.ts';
import type { Problem } from '../../../model/problem.ts';
import type { ConnectionRecord } from '../../../model/record.ts';
import { Fragments } from '../decode/fragments.ts';
import { decodeFrame } from '../decode/frame.ts';
import { Packet } from '../decode/packet.ts';
import { unknownLinkType } from '../errors.ts';
import { FlowTable, fileInterfaceIndex } from '../flows/flow-table.ts';
import type { DnsPacket, DnsSink } from '../source.ts';
import { CaptureClock } from './capture-clock.ts';
import { readCaptureFile } from './capture-file.ts';
import type { DnsClients } from './dns-clients.ts';
import { directionByPort, dnsPacketOf } from './dns-packet.ts';
import { type HeldPacket, HeldPackets } from './held-packets.ts';

export type ReplayOptions = {
  maxConnections: number;
  /** Receives DNS packets, always before the records of the same time. Their times are those of `untilUs`. */
  dnsSink: DnsSink;
  /** The number of a DNS client, in place of an interface index. */
  clients: DnsClients;
  /** The bytes read of all files. */
  onProgress(bytes: number): void;
  /**
   * Receives the records until `untilUs`, at intervals and once at the end of the last file. That time never goes back, also
   * if the times in the file do. The records have the times of the file: `clockOffsetUs` is the difference.
   */
  onRecords(records: ConnectionRecord[], untilUs: number, clockOffsetUs: number): void;
};

/** `outOfOrder`: files whose packets are all older than those of the file before. */
export type Replayed = { problems: Problem[]; clock: CaptureClock['counts']; outOfOrder: readonly string[] };

type Frame = HeldPacket & { bytes: Uint8Array; length: number; linkType: number; source: number };

/** In the time of the capture. */
const drainEveryUs = 5_000_000;
/** A scan has so many connections that their records would fill the memory until then. */
const drainEveryNew = 16_384;
/** Fragmented packets that are remembered. */
const maxFragmented = 4096;
/** While the table is full: after this part of it in packets, connections that ended are removed again. */
const releasePart = 16;

/** Counts every packet of the files, oldest first, in `accounting`. For tunnels, the inner packet is recorded. */
export async function replayFiles(
  paths: readonly string[],
  accounting: PacketAccounting,
  options: ReplayOptions,
): Promise<Replayed> {
  const replay = new Replay(accounting, options);
  const problems: Problem[] = [];
  const outOfOrder: string[] = [];
  let bytesBefore = 0;
  let bytesRead = 0;
  for (const path of paths) {
    const read = await readCaptureFile(
      path,
      (bytes, start, end, length, linkType, source, timeUs) =>
        replay.onFrame(bytes, start, end, length, linkType, source, timeUs),
      (bytes) => {
        bytesRead = bytesBefore + bytes;
        options.onProgress(bytesRead);
      },
      (_bytes, _start, _end, length) => {
        accounting.seen(1, length);
        accounting.lost('after-invalid-bytes', 1, length);
      },
    );
    accounting.seen(read.dropped, 0);
    accounting.lost('capture-dropped', read.dropped, 0);
    bytesBefore = bytesRead;
    if (replay.endFile() === 'older') outOfOrder.push(path);
    problems.push(
      ...read.problems,
      ...replay.takeUnknownLinkTypes().map((linkType) => unknownLinkType(path, linkType)),
    );
  }
  replay.finish();
  return { problems, clock: replay.clock.counts, outOfOrder };
}

/** A class, because V8 would make an object of each number that a closure changes. */
class Replay {
  readonly clock = new CaptureClock();
  readonly #unknownLinkTypes = new Set<number>();
  readonly #accounting: PacketAccounting;
  readonly #options: ReplayOptions;
  readonly #table: FlowTable;
  readonly #fragments = new Fragments(maxFragmented, 'any');
  readonly #packet = new Packet('decapsulate');
  readonly #held = new HeldPackets<Frame>(this.clock, (frame, timeUs) => {
    const { bytes, length, linkType, source } = frame;
    this.#record(bytes, 0, bytes.length, length, linkType, source, timeUs);
  });
  /** A packet later than this causes a drain; the first packet starts the interval. */
  #drainAfterUs = Number.NEGATIVE_INFINITY;
  #drainAboveRows = drainEveryNew;
  #packetsUntilRelease = 0;
  /** In the packets' own time. */
  #lastTimeUs = 0;
  #fileFirstUs: number | undefined;
  #previousFirstUs = 0;

  constructor(accounting: PacketAccounting, options: ReplayOptions) {
    this.#accounting = accounting;
    this.#options = options;
    const { maxConnections } = options;
    this.#table = new FlowTable(
      { maxConnections, reportEveryUs: Number.POSITIVE_INFINITY, source: 'file' },
      accounting,
    );
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
    this.#lastTimeUs = timeUs;
    const isFirstOfFile = this.#fileFirstUs === undefined;
    if (isFirstOfFile) this.#fileFirstUs = timeUs;
    if (this.#held.mustHold(timeUs)) {
      // The bytes are valid until this call returns.
      const copy = Uint8Array.prototype.slice.call(bytes, start, end);
      this.#held.add({ bytes: copy, length, linkType, source, timeUs, isFirstOfFile });
      return;
    }
    this.#record(bytes, start, end, length, linkType, source, this.clock.advance(timeUs));
  }

  /** Whether the file that was read is older than the file before. */
  endFile(): 'older' | 'in-order' {
    if (this.#fileFirstUs === undefined) return 'in-order';
    const isOlder = this.#lastTimeUs < this.#previousFirstUs;
    this.#previousFirstUs = this.#fileFirstUs;
    this.#fileFirstUs = undefined;
    return isOlder ? 'older' : 'in-order';
  }

  /** Since the last call. Link types that are not supported. */
  takeUnknownLinkTypes(): number[] {
    const linkTypes = [...this.#unknownLinkTypes];
    this.#unknownLinkTypes.clear();
    return linkTypes;
  }

  finish(): void {
    this.#held.end();
    this.#fragments.end();
    this.#countFragments();
    const records: ConnectionRecord[] = [];
    this.#table.finish((record) => records.push(record));
    this.#emit(records);
  }

  /** hot, once a packet; `timeUs` is on `clock` */
  #record(
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
    if (timeUs > this.#drainAfterUs || this.#table.size > this.#drainAboveRows) this.#drain();
    this.#fragments.timeUs = timeUs;
    const decoded = decodeFrame(linkType, bytes, start, end, length, this.#fragments, packet);
    switch (decoded) {
      case 'packet':
        if (packet.dnsStart !== 0) this.#onDns(packet, bytes, timeUs);
        if (this.#table.size >= this.#options.maxConnections) this.#releaseEnded();
        this.#table.add(packet, packet.interfaceIndex === 0 ? source : packet.interfaceIndex, 'not-at-pod', timeUs);
        return;
      case 'not-ip':
      case 'carrier':
      case 'mapped-address':
        this.#accounting.ignored(decoded, 1, length);
        return;
      case 'unknown-link-type':
        this.#unknownLinkTypes.add(linkType);
        this.#accounting.lost(decoded, 1, length);
        return;
      default:
        // A held fragment is counted when its first one comes, or is given up.
        if (!packet.held) this.#accounting.lost(decoded, 1, length);
    }
  }

  #countFragments(): void {
    const [lost, carriers] = [this.#fragments.takeLost(), this.#fragments.takeCarriers()];
    this.#accounting.lost('fragment-without-first', lost.frames, lost.bytes);
    this.#accounting.ignored('carrier', carriers.frames, carriers.bytes);
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

  #drain(): void {
    const { nowUs } = this.clock;
    const isFirst = this.#drainAfterUs === Number.NEGATIVE_INFINITY;
    this.#drainAfterUs = nowUs + drainEveryUs;
    if (isFirst) {
      this.#table.watch(fileInterfaceIndex, nowUs, 'before');
      return;
    }
    this.#countFragments();
    const records: ConnectionRecord[] = [];
    this.#table.drain(nowUs, (record) => records.push(record));
    this.#drainAboveRows = this.#table.size + drainEveryNew;
    this.#emit(records);
  }

  /** The table is full: connections that ended are not kept any longer. */
  #releaseEnded(): void {
    this.#packetsUntilRelease -= 1;
    if (this.#packetsUntilRelease > 0) return;
    this.#packetsUntilRelease = Math.ceil(this.#options.maxConnections / releasePart);
    const records: ConnectionRecord[] = [];
    this.#table.releaseEnded((record) => records.push(record));
    if (records.length > 0) this.#emit(records);
  }

  #emit(records: ConnectionRecord[]): void {
    const { clock } = this;
    if (clock.wasSetBack) {
      for (const record of records) {
        record.beganUs = clock.packetTime(record.beganUs);
        record.firstUs = clock.packetTime(record.firstUs);
        record.lastUs = clock.packetTime(record.lastUs);
      }
    }
    this.#options.onRecords(records, clock.nowUs, -clock.offsetUs);
  }
}
