// Capture by our program in the kernel: rows of its tables become intervals of live connections. `ebpf` stands at TC, and
// at a packet tap towards a pod where somebody else filters there; `tap` stands at packet taps alone.
import type { Logger } from 'pino';
import type { Books } from '../../../accounting/accounting.ts';
import { SystemError } from '../../../kernel/errno.ts';
import { addressFromBytes } from '../../../model/address.ts';
import type { ConnectionRecord, Translation } from '../../../model/record.ts';
import type { Direction } from '../clsact.ts';
import { FlowTable, type FlowTableOptions } from '../flows/flow-table.ts';
import { Sight, type Visible } from '../sight.ts';
import type { CaptureSource, PodInterface } from '../source.ts';
import { dnsEvent, event, flowEvent, isIpv6Bit, ringBytes, row, translationEvent } from './layout.ts';
import { type Places, placesOf, type Stand } from './places.ts';
import type { LoadedProgram } from './program.ts';
import { Ring } from './ring.ts';
import { Row } from './row.ts';
import { Tables } from './tables.ts';
import { Untold } from './untold.ts';

export type KernelOptions = FlowTableOptions & { nowUs: () => number };

/** What the program sees besides connections. */
export type SeenBeside = {
  translation(protocol: number, translation: Translation): void;
  /** A DNS message to a pod; `bytes` is valid until it returns. */
  dns(protocol: number, bytes: Uint8Array, timeUs: number): void;
};

type Watched = {
  link: PodInterface;
  stand: Stand;
  /** Rows up to this epoch hold what was seen while who else filters changed. */
  unprovenUntil: number;
  /** Why no place was to be had, as it was said last; it is tried again at each look. */
  refused: Record<Direction, string>;
  /** The epoch whose rows are the last ones; undefined while it is watched. */
  lastEpoch: number | undefined;
};

const notSeen = {
  'from-pod': 'not all that leaves the pod is seen',
  'to-pod': 'packets towards the pod are not seen',
} as const;

export class KernelSource implements CaptureSource {
  readonly name: 'ebpf' | 'tap';
  readonly #program: LoadedProgram;
  readonly #options: KernelOptions;
  readonly #books: Books;
  readonly #beside: SeenBeside;
  readonly #log: Logger;
  readonly #table: FlowTable;
  readonly #tables: Tables;
  readonly #ring: Ring;
  readonly #row: Row;
  readonly #untold: Untold;
  readonly #places: Places;
  readonly #watched = new Map<number, Watched>();
  readonly #sight = new Sight();
  /** How often packets may have passed unseen: what others did was noticed at the next look only. */
  #gaps = 0;
  /** A row that came over the ring, in words. */
  readonly #words = new Uint32Array(row.words);
  readonly #wordBytes = new Uint8Array(this.#words.buffer);

  /** `program` is this source's from now on. */
  constructor(
    name: 'ebpf' | 'tap',
    program: LoadedProgram,
    options: KernelOptions,
    books: Books,
    beside: SeenBeside,
    log: Logger,
    places: Places = placesOf(name, program),
  ) {
    this.name = name;
    this.#program = program;
    this.#options = options;
    this.#books = books;
    this.#beside = beside;
    this.#log = log;
    this.#table = new FlowTable(options, books);
    this.#tables = new Tables(program, options.nowUs, options.seed ?? 0);
    this.#row = new Row(this.#tables);
    this.#untold = new Untold(log);
    this.#ring = new Ring(program.map('events'), ringBytes);
    this.#places = places;
  }

  watch(link: PodInterface): void {
    const before = this.#watched.get(link.index);
    if (before !== undefined && before.lastEpoch === undefined) return;
    const stand = this.#places.attach(link.index);
    if (before === undefined) this.#sight.watch(link.index);
    // One that comes back before its last rows were read has the connections that it had.
    const isNew = before === undefined && link.appearedUs !== 0;
    this.#table.watch(link.index, this.#options.nowUs(), isNew ? 'while-watching' : 'before');
    this.#watched.set(link.index, {
      link,
      stand,
      unprovenUntil: before?.unprovenUntil ?? 0,
      refused: { 'from-pod': '', 'to-pod': '' },
      lastEpoch: undefined,
    });
  }

  forget(link: PodInterface): void {
    this.#leave(link.index, 'while watching');
  }

  drain(nowUs: number, emit: (record: ConnectionRecord) => void): number {
    this.#move();
    const readable = this.#tables.readable;
    if (readable === undefined) {
      this.#tables.turn();
      return 0;
    }
    this.#read(readable.epoch);
    this.#tables.turn();
    this.#forgetLeft(readable.epoch);
    this.#table.drain(nowUs, (record) => {
      this.#sight.see(record);
      emit(record);
    });
    return readable.untilUs;
  }

  visible(index: number): Visible {
    const seen = this.#sight.at(index);
    const stand = this.#watched.get(index)?.stand;
    if (stand === undefined) return seen;
    // Where no place was to be had, or somebody stands ahead, silence means nothing.
    const fromPod = stand['from-pod'] !== undefined && stand.front.isOurs;
    return { ...seen, fromPod: seen.fromPod && fromPod, toPod: seen.toPod && stand['to-pod'] !== undefined };
  }

  get ways(): string {
    const ways = [...this.#watched.values()]
      .map(({ stand }) => stand['to-pod']?.way)
      .filter((way) => way !== undefined);
    const counts = Map.groupBy(ways, (way) => way);
    const by = [...counts].map(([way, some]) => `${way} ${some.length}`).join(', ');
    return this.#gaps > 0 && by !== '' ? `${by}; gaps ${this.#gaps}` : by;
  }

  async close(emit: (record: ConnectionRecord) => void): Promise<void> {
    for (const index of this.#watched.keys()) this.#leave(index, 'at the end');
    while (this.#watched.size > 0) {
      await this.#tables.settled();
      this.drain(this.#options.nowUs(), emit);
    }
    this.drain(this.#options.nowUs(), emit);
    await this.#places.close();
    this.#ring.close();
    this.#program.close();
  }

  #leave(index: number, when: 'while watching' | 'at the end'): void {
    const watched = this.#watched.get(index);
    if (watched === undefined || watched.lastEpoch !== undefined) return;
    this.#places.forget(index, watched.stand, when);
    watched.lastEpoch = this.#tables.epoch;
  }

  /** Where somebody else came or went, ours moves; what was seen since the last look is no proof of delivery. */
  #move(): void {
    this.#places.look();
    for (const watched of this.#watched.values()) {
      if (watched.lastEpoch !== undefined) continue;
      for (const direction of ['from-pod', 'to-pod'] as const) this.#moveOne(watched, direction);
    }
  }

  #moveOne(watched: Watched, direction: Direction): void {
    const { link, refused } = watched;
    try {
      const { doubt, missed, way } = this.#places.move(link.index, watched.stand, direction);
      refused[direction] = '';
      if (doubt) watched.unprovenUntil = this.#tables.epoch;
      if (missed) {
        this.#sight.missed(link.index, this.#options.nowUs());
        this.#gaps += 1;
      }
      if (way === undefined) return;
      const said = { link: link.name, direction, by: way };
      if (missed)
        this.#log.warn(said, 'packets may have passed unseen: others took our program away, or stood ahead of it');
      else this.#log.info(said, 'who else filters at the interface changed');
    } catch (error) {
      if (direction === 'to-pod') watched.unprovenUntil = this.#tables.epoch;
      // The interface is gone, and will be forgotten.
      if (error instanceof SystemError && error.errno === 'ENODEV') return;
      const why = (error as Error).message;
      if (why !== refused[direction]) this.#log.warn({ link: link.name, why }, notSeen[direction]);
      refused[direction] = why;
    }
  }

  #read(epoch: number): void {
    this.#ring.read((bytes) => this.#readEvent(bytes, epoch));
    this.#tables.read((words, at) => this.#merge(words, at, epoch));
    this.#tables.uncounted((reason, frames, bytes) => {
      this.#books.seen(frames, bytes);
      if (reason === 'not-ip' || reason === 'carrier') this.#books.setAside(reason, frames, bytes);
      else this.#books.lost(reason, frames, bytes);
    });
    this.#untold.add(this.#tables.untold(), this.#options.nowUs());
  }

  #merge(words: Uint32Array, at: number, epoch: number): void {
    const interval = this.#row;
    interval.turnTo(words, at);
    this.#books.seen(interval.frames, interval.bytesFromLow + interval.bytesFromHigh);
    const watched = this.#watched.get(interval.link);
    interval.unproven = watched !== undefined && epoch <= watched.unprovenUntil;
    this.#table.merge(interval);
  }

  #readEvent(bytes: Uint8Array, epoch: number): 'done' | 'later' {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    switch (view.getUint32(0, true)) {
      case event.flow: {
        const of = view.getUint32(flowEvent.epoch, true);
        if (of > epoch) return 'later';
        this.#wordBytes.set(bytes.subarray(flowEvent.row, flowEvent.bytes));
        this.#merge(this.#words, 0, of);
        return 'done';
      }
      case event.translation:
        this.#readTranslation(bytes, view);
        return 'done';
      case event.dns: {
        const length = view.getUint32(dnsEvent.length, true);
        const message = bytes.subarray(dnsEvent.message, dnsEvent.message + length);
        this.#beside.dns(view.getUint32(dnsEvent.protocol, true), message, this.#options.nowUs());
        return 'done';
      }
      default:
        return 'done';
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
    this.#beside.translation(protocol & 0xff, { original: tuple(0), translated: tuple(2) });
  }

  #forgetLeft(epoch: number): void {
    for (const [index, { lastEpoch }] of this.#watched) {
      if (lastEpoch === undefined || lastEpoch > epoch) continue;
      this.#table.forget(index);
      this.#sight.forget(index);
      this.#watched.delete(index);
    }
  }
}
