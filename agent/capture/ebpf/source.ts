// Captures with our program in the kernel: turns rows of its tables into intervals of live connections. `ebpf` attaches at TC,
// or as a packet tap where other programs filter towards the pod. `tap` uses packet taps only.
import type { Logger } from 'pino';
import type { PacketAccounting } from '../../../accounting/accounting.ts';
import { isIgnored } from '../../../accounting/reasons.ts';
import { SystemError } from '../../../kernel/errno.ts';
import { addressFromBytes } from '../../../model/address.ts';
import type { ConnectionRecord, Translation } from '../../../model/record.ts';
import type { PodAddresses } from '../../interfaces/peer-addresses.ts';
import { FlowTable, type FlowTableOptions } from '../flows/flow-table.ts';
import {
  type CaptureSource,
  type DnsEvent,
  isWatchedFromStart,
  type PodDirection,
  type PodInterface,
} from '../source.ts';
import { ignoreUnrecorded } from '../unrecorded.ts';
import { type Visibility, VisibilityTracker } from '../visibility.ts';
import { type Attacher, attacherFor, type InterfaceAttachments } from './attacher.ts';
import { DnsRing } from './dns-ring.ts';
import { InterfaceSlots } from './interface-slots.ts';
import { event, flowEvent, isIpv6Bit, ringBytes, row, translationEvent } from './layout.ts';
import { MissedEvents } from './missed-events.ts';
import type { LoadedProgram } from './program.ts';
import { Ring } from './ring.ts';
import { RowCursor } from './row-cursor.ts';
import { RowTables } from './row-tables.ts';

export type KernelOptions = FlowTableOptions & { nowUs: () => number };

/** Receives what the program reports besides connections. */
export type KernelEventHandlers = {
  translation(protocol: number, translation: Translation): void;
  /** Undefined: only headers are read. */
  dns: ((event: DnsEvent) => void) | undefined;
};

type WatchedInterface = {
  link: PodInterface;
  attachments: InterfaceAttachments;
  /** Rows up to this epoch prove no delivery: other programs on the interface changed meanwhile. */
  unprovenUntilEpoch: number;
  /** The last logged reason why attaching failed. Each drain tries again. */
  loggedReasons: Record<PodDirection, string>;
  /** The epoch of the last rows; undefined while the interface is watched. */
  lastEpoch: number | undefined;
};

const notSeenMessages = {
  'from-pod': 'not all packets from the pod are seen',
  'to-pod': 'packets towards the pod are not seen',
} as const;

const kindNames = { tcx: 'TCX', clsact: 'clsact', tap: 'packet tap' } as const;

export class KernelSource implements CaptureSource {
  readonly name: 'ebpf' | 'tap';
  readonly #program: LoadedProgram;
  readonly #options: KernelOptions;
  readonly #accounting: PacketAccounting;
  readonly #eventHandlers: KernelEventHandlers;
  readonly #log: Logger;
  readonly #flows: FlowTable;
  readonly #slots: InterfaceSlots;
  readonly #rowTables: RowTables;
  readonly #ring: Ring;
  readonly #dnsRing: DnsRing | undefined;
  /** When the DNS packets were read last. */
  #dnsReadUs: number;
  readonly #rowCursor: RowCursor;
  readonly #missedEvents: MissedEvents;
  readonly #attacher: Attacher;
  readonly #watched = new Map<number, WatchedInterface>();
  readonly #visibilityTracker = new VisibilityTracker();
  /** How often packets may have passed unseen, because a change by others is noticed only at the next drain. */
  #gaps = 0;
  /**
   * Rows of epochs whose tables are not read yet, from the ring. At a change of epochs, two processors may add rows of both in
   * any order.
   */
  #laterEvents: Uint8Array[] = [];
  /** A row from the ring, in words. */
  readonly #words = new Uint32Array(row.words);
  readonly #wordBytes = new Uint8Array(this.#words.buffer);

  /** Takes over `program`, and closes it. */
  constructor(
    name: 'ebpf' | 'tap',
    program: LoadedProgram,
    options: KernelOptions,
    accounting: PacketAccounting,
    eventHandlers: KernelEventHandlers,
    log: Logger,
    attacher: Attacher = attacherFor(name, program),
  ) {
    this.name = name;
    this.#program = program;
    this.#options = options;
    this.#accounting = accounting;
    this.#eventHandlers = eventHandlers;
    this.#log = log;
    this.#flows = new FlowTable(options, accounting);
    this.#slots = new InterfaceSlots(program);
    this.#rowTables = new RowTables(program, this.#slots, options.nowUs, options.seed ?? 0);
    this.#rowCursor = new RowCursor(this.#rowTables);
    this.#missedEvents = new MissedEvents(log);
    this.#ring = new Ring(program.mapFd('events'), ringBytes);
    this.#dnsRing = eventHandlers.dns && new DnsRing(program, this.#rowTables, eventHandlers.dns);
    this.#dnsReadUs = options.nowUs();
    this.#attacher = attacher;
  }

  watch(link: PodInterface): void {
    const before = this.#watched.get(link.index);
    if (before !== undefined && before.lastEpoch === undefined) return;
    this.#slots.add(link.index);
    this.#dnsRing?.watch(link.index);
    const attachments = this.#attach(link.index);
    if (before === undefined) this.#visibilityTracker.watch(link.index);
    // If it comes back before its last rows were read, its connections continue.
    const isNew = before === undefined && link.appearedUs !== 0;
    const nowUs = this.#options.nowUs();
    this.#flows.watch(link.index, nowUs, isNew ? 'while-watching' : 'before');
    const fromStart = before === undefined && isWatchedFromStart(link, nowUs);
    this.#eventHandlers.dns?.({ type: 'watched', interfaceIndex: link.index, atUs: nowUs, isNew: fromStart });
    this.#watched.set(link.index, {
      link,
      attachments,
      unprovenUntilEpoch: before?.unprovenUntilEpoch ?? 0,
      loggedReasons: { 'from-pod': '', 'to-pod': '' },
      lastEpoch: undefined,
    });
  }

  setAddresses(index: number, addresses: PodAddresses): void {
    this.#slots.setAddresses(index, addresses);
  }

  forget(link: PodInterface): void {
    this.#detach(link.index, 'while watching');
  }

  drain(nowUs: number, emit: (record: ConnectionRecord) => void): number {
    this.#reattachAll();
    const readable = this.#rowTables.readable;
    if (readable === undefined) {
      this.#rowTables.swap();
      return 0;
    }
    this.#read(readable);
    this.#rowTables.swap();
    this.#forgetDetached(readable.epoch);
    this.#flows.drain(nowUs, (record) => {
      this.#visibilityTracker.observe(record);
      emit(record);
    });
    return readable.untilUs;
  }

  visibility(index: number): Visibility {
    const seen = this.#visibilityTracker.at(index);
    const attachments = this.#watched.get(index)?.attachments;
    if (attachments === undefined) return seen;
    // If attaching failed, or another program is in front of ours, seeing no packets proves nothing.
    const fromPod = attachments['from-pod'] !== undefined && attachments.chainHead.isOurs;
    return { ...seen, fromPod: seen.fromPod && fromPod, toPod: seen.toPod && attachments['to-pod'] !== undefined };
  }

  get attachmentSummary(): string {
    const kinds = [...this.#watched.values()]
      .map(({ attachments }) => attachments['to-pod']?.kind)
      .filter((kind) => kind !== undefined);
    const counts = Map.groupBy(kinds, (kind) => kind);
    const summary = [...counts]
      .map(([kind, ofKind]) => `${kindNames[kind]} on ${ofKind.length} interface${ofKind.length === 1 ? '' : 's'}`)
      .join(', ');
    return this.#gaps > 0 && summary !== '' ? `${summary}; gaps: ${this.#gaps}` : summary;
  }

  async close(emit: (record: ConnectionRecord) => void): Promise<void> {
    for (const index of this.#watched.keys()) this.#detach(index, 'at the end');
    while (this.#watched.size > 0) {
      await this.#rowTables.retiredReadable();
      this.drain(this.#options.nowUs(), emit);
    }
    this.drain(this.#options.nowUs(), emit);
    await this.#attacher.close();
    this.#ring.close();
    this.#dnsRing?.close();
    this.#program.close();
  }

  #attach(index: number): InterfaceAttachments {
    try {
      return this.#attacher.attach(index);
    } catch (error) {
      this.#dnsRing?.forget(index);
      if (!this.#watched.has(index)) this.#slots.remove(index);
      throw error;
    }
  }

  #detach(index: number, when: 'while watching' | 'at the end'): void {
    const watched = this.#watched.get(index);
    if (watched === undefined || watched.lastEpoch !== undefined) return;
    this.#attacher.detach(index, watched.attachments, when);
    watched.lastEpoch = this.#rowTables.epoch;
  }

  /** If other programs came or went, moves ours. Packets counted since the last drain prove no delivery then. */
  #reattachAll(): void {
    this.#attacher.refresh();
    for (const watched of this.#watched.values()) {
      if (watched.lastEpoch !== undefined) continue;
      for (const direction of ['from-pod', 'to-pod'] as const) this.#reattach(watched, direction);
    }
  }

  #reattach(watched: WatchedInterface, direction: PodDirection): void {
    const { link, loggedReasons } = watched;
    try {
      const { deliveryUnproven, hasGap, kind } = this.#attacher.reattach(link.index, watched.attachments, direction);
      loggedReasons[direction] = '';
      if (deliveryUnproven) watched.unprovenUntilEpoch = this.#rowTables.epoch;
      if (hasGap) {
        this.#visibilityTracker.recordGap(link.index, this.#options.nowUs());
        this.#missedQueries(link.index);
        this.#gaps += 1;
      }
      if (kind === undefined) return;
      const fields = { interface: link.name, direction, attachment: kind };
      if (hasGap) this.#log.warn(fields, 'packets may have passed unseen');
      else this.#log.info(fields, 'other TC/TCX programs on the interface changed');
    } catch (error) {
      if (direction === 'to-pod') watched.unprovenUntilEpoch = this.#rowTables.epoch;
      // The interface is gone; forget() follows.
      if (error instanceof SystemError && error.errno === 'ENODEV') return;
      const reason = (error as Error).message;
      if (reason !== loggedReasons[direction]) {
        this.#log.warn({ interface: link.name, reason }, notSeenMessages[direction]);
      }
      loggedReasons[direction] = reason;
    }
  }

  #missedQueries(interfaceIndex: number): void {
    this.#eventHandlers.dns?.({ type: 'missed', interfaceIndex, sinceUs: this.#dnsReadUs, what: 'queries' });
  }

  #readDns(missed: number): void {
    this.#dnsRing?.read();
    if (missed > 0) this.#dnsRing?.readMissed(this.#dnsReadUs);
    for (const [index, { lastEpoch }] of this.#watched) {
      if (lastEpoch === undefined && !this.visibility(index).fromPod) this.#missedQueries(index);
    }
    this.#dnsReadUs = this.#options.nowUs();
  }

  #read({ epoch, sinceUs: firstUs, untilUs: lastUs }: { epoch: number; sinceUs: number; untilUs: number }): void {
    const { unrecorded = ignoreUnrecorded } = this.#options;
    const earlier = this.#laterEvents;
    this.#laterEvents = [];
    for (const bytes of earlier) this.#readEvent(bytes, epoch);
    this.#ring.read((bytes) => this.#readEvent(bytes, epoch));
    this.#rowTables.read(
      (words, at) => this.#addRow(words, at, epoch),
      (index, reason, of, packets, bytes) => unrecorded.add(index, reason, of, { packets, bytes, firstUs, lastUs }),
    );
    this.#rowTables.drainCounters((reason, frames, bytes) => {
      this.#accounting.seen(frames, bytes);
      if (isIgnored(reason)) this.#accounting.ignored(reason, frames, bytes);
      else this.#accounting.lost(reason, frames, bytes);
    });
    const missed = this.#rowTables.drainMissed();
    this.#missedEvents.add(missed, this.#options.nowUs());
    this.#readDns(missed.dns);
  }

  #addRow(words: Uint32Array, at: number, epoch: number): void {
    const interval = this.#rowCursor;
    interval.moveTo(words, at);
    this.#accounting.seen(interval.frames, interval.bytesFromLow + interval.bytesFromHigh);
    const watched = this.#watched.get(interval.interfaceIndex);
    interval.filtersChanged = watched !== undefined && epoch <= watched.unprovenUntilEpoch;
    this.#flows.addInterval(interval);
  }

  #readEvent(bytes: Uint8Array, epoch: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    switch (view.getUint32(0, true)) {
      case event.flow: {
        const eventEpoch = view.getUint32(flowEvent.epoch, true);
        if (eventEpoch > epoch) {
          this.#laterEvents.push(bytes.slice());
          return;
        }
        this.#wordBytes.set(bytes.subarray(flowEvent.row, flowEvent.bytes));
        this.#addRow(this.#words, 0, eventEpoch);
        return;
      }
      case event.translation:
        this.#readTranslation(bytes, view);
        return;
    }
  }

  #readTranslation(bytes: Uint8Array, view: DataView): void {
    const protocol = view.getUint32(translationEvent.protocol, true);
    const width = (protocol & isIpv6Bit) !== 0 ? 16 : 4;
    const address = (n: number) => {
      const at = translationEvent.addresses + n * 16;
      return addressFromBytes(bytes.subarray(at, at + width));
    };
    const port = (n: number) => view.getUint16(translationEvent.ports + n * 2, true);
    const tuple = (n: number) => ({
      initiator: address(n),
      initiatorPort: port(n),
      responder: address(n + 1),
      responderPort: port(n + 1),
    });
    this.#eventHandlers.translation(protocol & 0xff, { original: tuple(0), translated: tuple(2) });
  }

  #forgetDetached(epoch: number): void {
    for (const [index, { lastEpoch }] of this.#watched) {
      if (lastEpoch === undefined || lastEpoch > epoch) continue;
      this.#flows.forget(index);
      this.#slots.remove(index);
      this.#visibilityTracker.forget(index);
      this.#dnsRing?.forget(index);
      this.#eventHandlers.dns?.({ type: 'forgotten', interfaceIndex: index });
      this.#watched.delete(index);
    }
  }
}
