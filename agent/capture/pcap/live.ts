// Live capture by libpcap (npm `pcap`): two captures on each pod interface, one for each direction, since libpcap tells
// the direction of a packet only by what its filter lets through. Seen from the host side of the veth, inbound is what
// leaves the pod. A third capture is for what DNS servers told the pod, which is longer than headers.
import type { Books } from '../../../accounting/accounting.ts';
import type { ConnectionRecord } from '../../../model/record.ts';
import { removeLeftoverFilters } from '../clsact.ts';
import { Fragments } from '../decode/fragments.ts';
import { decodeFrame } from '../decode/frame.ts';
import { linkTypes } from '../decode/link-type.ts';
import { Packet } from '../decode/packet.ts';
import { FlowTable, type FlowTableOptions } from '../flows/flow-table.ts';
import { Sight, type Visible } from '../sight.ts';
import type { CaptureSource, NameSink, PodInterface } from '../source.ts';
import { mergeRuns, Run } from './in-order.ts';
import { npmPcap, PcapSession, type Wanted } from './session.ts';

/** `bufferBytes` is of each interface, for both directions together. */
export type LiveOptions = FlowTableOptions & { bufferBytes: number; nowUs: () => number };

type Way = 'from-pod' | 'to-pod';
type Side = { session: PcapSession; run: Run };
type Watched = { link: PodInterface; names: PcapSession | undefined } & Record<Way, Side>;

/** Ethernet with two tags, IPv6 with extensions, and what an ICMP error quotes. */
const headerBytes = 256;
/**
 * What DNS over UDP fits in without fragments, and then some. The frame of ours by which a capture is begun and ended
 * (capture-socket.ts) must come through too.
 */
const dnsWanted: Wanted = {
  filter: 'outbound and (src port 53 or ether proto 0x88b5)',
  snapLength: 2048,
  bufferBytes: 256 * 1024,
};

/** So many packets of a direction wait at most for the other direction to be read. */
const mostWaiting = 4096;

export class PcapSource implements CaptureSource {
  readonly name = 'pcap';
  readonly ways = '';
  readonly #options: LiveOptions;
  readonly #books: Books;
  readonly #table: FlowTable;
  readonly #watched = new Map<number, Watched>();
  readonly #sight = new Sight();
  readonly #fragments = new Fragments();
  readonly #names: NameSink | undefined;
  /** Of the third capture, whose packets the others have counted: of its own, so that nothing of them is disturbed. */
  readonly #answer = new Packet('closed');
  readonly #answerFragments = new Fragments(0);
  /** Packets that wait for nothing, to be used again. */
  readonly #spare: Packet[] = [];
  #leaving: PcapSession[] = [];

  /** Without `names` nothing but headers is ever read. */
  constructor(options: LiveOptions, books: Books, names?: NameSink) {
    npmPcap();
    this.#options = options;
    this.#books = books;
    this.#names = names;
    this.#table = new FlowTable(options, books);
  }

  watch(link: PodInterface): void {
    if (this.#watched.has(link.index)) return;
    removeLeftoverFilters(link.index);
    this.#sight.watch(link.index);
    this.#table.watch(link.index, this.#options.nowUs(), link.appearedUs === 0 ? 'before' : 'while-watching');
    const opened: PcapSession[] = [];
    try {
      const fromPod = this.#open(link, 'from-pod');
      opened.push(fromPod.session);
      const toPod = this.#open(link, 'to-pod');
      opened.push(toPod.session);
      const names = this.#openNames(link, toPod.session.linkType);
      this.#watched.set(link.index, { link, 'from-pod': fromPod, 'to-pod': toPod, names });
    } catch (error) {
      for (const session of opened) this.#leave(session);
      throw error;
    }
  }

  forget(link: PodInterface): void {
    const watched = this.#watched.get(link.index);
    if (watched === undefined) return;
    this.#readCounted(watched);
    this.#handOver(watched, Number.POSITIVE_INFINITY);
    this.#watched.delete(link.index);
    this.#leave(watched['from-pod'].session);
    this.#leave(watched['to-pod'].session);
    watched.names?.read();
    if (watched.names !== undefined) this.#leave(watched.names);
    this.#table.forget(link.index);
    this.#sight.forget(link.index);
  }

  drain(nowUs: number, emit: (record: ConnectionRecord) => void): number {
    for (const watched of this.#watched.values()) {
      this.#readCounted(watched);
      // After them: an answer is read before the connection that follows it is told.
      watched.names?.read();
    }
    this.#table.drain(nowUs, (record) => {
      this.#sight.see(record);
      emit(record);
    });
    this.#leaving = this.#leaving.filter((session) => !session.giveBack());
    return nowUs;
  }

  visible(index: number): Visible {
    return this.#sight.at(index);
  }

  async close(emit: (record: ConnectionRecord) => void): Promise<void> {
    for (const { link } of [...this.#watched.values()]) this.forget(link);
    this.drain(this.#options.nowUs(), emit);
  }

  #open(link: PodInterface, way: Way): Side {
    const { index } = link;
    const run = new Run();
    const session = new PcapSession(
      link,
      {
        filter: way === 'from-pod' ? 'inbound' : 'outbound',
        snapLength: headerBytes,
        bufferBytes: Math.floor(this.#options.bufferBytes / 2),
      },
      (bytes, captured, length, timeUs) => this.#take(side, index, bytes, captured, length, timeUs),
      () => this.#readNow(index),
    );
    const side: Side = { session, run };
    return side;
  }

  /** On other links than Ethernet no frame of ours would come through. */
  #openNames(link: PodInterface, linkType: number): PcapSession | undefined {
    const names = this.#names;
    if (names === undefined || linkType !== linkTypes.ethernet) return undefined;
    const session: PcapSession = new PcapSession(
      link,
      dnsWanted,
      (bytes, captured, length, timeUs) =>
        this.#takeAnswer(names, linkType, bytes.subarray(0, captured), length, timeUs),
      () => session.read(),
    );
    return session;
  }

  #takeAnswer(names: NameSink, linkType: number, bytes: Uint8Array, length: number, timeUs: number): void {
    const answer = this.#answer;
    const decoded = decodeFrame(linkType, bytes, 0, bytes.length, length, this.#answerFragments, answer);
    if (decoded !== 'packet' || answer.answerAt === 0) return;
    names.take(answer.protocol, bytes.subarray(answer.answerAt, answer.answerEnd), timeUs);
  }

  #readNow(index: number): void {
    const watched = this.#watched.get(index);
    if (watched !== undefined) this.#read(watched);
  }

  #leave(session: PcapSession): void {
    if (!session.giveBack()) this.#leaving.push(session);
  }

  /** hot, once a packet */
  #take(side: Side, index: number, bytes: Uint8Array, captured: number, length: number, timeUs: number): void {
    this.#books.seen(1, length);
    const packet = this.#spare.pop() ?? new Packet('closed');
    const decoded = decodeFrame(side.session.linkType, bytes, 0, captured, length, this.#fragments, packet);
    if (decoded === 'packet') {
      side.run.packets.push(packet);
      side.run.timesUs.push(timeUs);
      const watched = side.run.packets.length < mostWaiting ? undefined : this.#watched.get(index);
      if (watched !== undefined) this.#handOver(watched, Number.POSITIVE_INFINITY);
      return;
    }
    this.#spare.push(packet);
    if (decoded === 'not-ip' || decoded === 'carrier') this.#books.setAside(decoded, 1, length);
    else this.#books.lost(decoded, 1, length);
  }

  /**
   * Both directions, and the first once more: nothing that came before the last packet of the second reading is unread
   * then. What the third reading brings after that waits for the next time.
   */
  #read(watched: Watched): void {
    const { 'from-pod': fromPod, 'to-pod': toPod } = watched;
    fromPod.session.read();
    const fromPodUs = fromPod.run.lastUs();
    toPod.session.read();
    fromPod.session.read();
    this.#handOver(watched, Math.max(fromPodUs, toPod.run.lastUs()));
  }

  #readCounted(watched: Watched): void {
    const sides = [watched['from-pod'], watched['to-pod']];
    const before = sides.map(({ session }) => session.counted());
    this.#read(watched);
    for (const [i, { session }] of sides.entries()) {
      const { dropped, passedOver } = session.settle(before[i]!);
      this.#books.seen(dropped + passedOver, 0);
      this.#books.lost('kernel-buffer-full', dropped, 0);
      this.#books.lost('capture-start', passedOver, 0);
    }
  }

  #handOver({ link, 'from-pod': fromPod, 'to-pod': toPod }: Watched, untilUs: number): void {
    mergeRuns(
      fromPod.run,
      toPod.run,
      untilUs,
      (packet, timeUs) => this.#add(packet, link.index, 'from-pod', timeUs),
      (packet, timeUs) => this.#add(packet, link.index, 'to-pod', timeUs),
    );
  }

  #add(packet: Packet, index: number, way: Way, timeUs: number): void {
    this.#table.add(packet, index, way, timeUs);
    this.#spare.push(packet);
  }
}
