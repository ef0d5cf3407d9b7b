// Live capture by libpcap (npm `pcap`). Each pod interface has two captures, one for each direction, because only
// libpcap's filter knows the direction of a packet. At the host side of the veth, inbound packets come from the pod. A
// third capture reads DNS packets, which are longer than headers.
import type { PacketAccounting } from '../../../accounting/accounting.ts';
import { isIgnored, type LossReason } from '../../../accounting/reasons.ts';
import type { ConnectionRecord } from '../../../model/record.ts';
import type { PodAddresses } from '../../interfaces/peer-addresses.ts';
import { removeLeftoverFilters } from '../clsact.ts';
import { DNS } from '../decode/dns.ts';
import { Fragments } from '../decode/fragments.ts';
import { decodeFrame } from '../decode/frame.ts';
import { linkTypes } from '../decode/link-type.ts';
import { Packet } from '../decode/packet.ts';
import { FlowTable, type FlowTableOptions } from '../flows/flow-table.ts';
import {
  type CaptureSource,
  type DnsSink,
  isWatchedFromStart,
  type PodDirection,
  type PodInterface,
} from '../source.ts';
import { ignoreUnrecorded, type UnrecordedSink } from '../unrecorded.ts';
import { type Visibility, VisibilityTracker } from '../visibility.ts';
import { LinkAddressee } from './addressee.ts';
import { dnsPacketOf } from './dns-packet.ts';
import { mergeRuns, PacketRun } from './merge-runs.ts';
import { npmPcap, PcapSession, type SessionOptions } from './session.ts';

/**
 * `bufferBytes`: for each interface, both directions together. `fromWallUs` converts the time of a packet, which the kernel
 * takes from the wall clock, to the clock of `nowUs`; by default they are one clock.
 */
export type LiveOptions = FlowTableOptions & {
  bufferBytes: number;
  nowUs: () => number;
  fromWallUs?: (wallUs: number) => number;
};

type DirectionCapture = { session: PcapSession; run: PacketRun; direction: PodDirection; addressee: LinkAddressee };
type WatchedInterface = {
  link: PodInterface;
  addressee: LinkAddressee;
  dnsSession: PcapSession | undefined;
  /** When it was read last. */
  readUs: number;
} & Record<PodDirection, DirectionCapture>;

/** Enough for Ethernet with two tags, IPv6 with extensions, and the quoted packet of an ICMP error. */
const headerBytes = 256;
/**
 * 2,048 bytes are enough for DNS over UDP without fragments. One capture has both directions, so that a query comes before
 * its reply. The ports show the direction: the filter passes no query from port 53. It must also pass our own frame, which
 * starts and ends a capture (capture-socket.ts).
 */
const dnsSessionOptions: SessionOptions = {
  filter: '(outbound and (src port 53 or ether proto 0x88b5)) or (inbound and dst port 53 and not src port 53)',
  snapLength: 2048,
  bufferBytes: 512 * 1024,
};

/** Packets of one direction that may wait until the other direction is read. */
const maxWaiting = 4096;

export class PcapSource implements CaptureSource {
  readonly name = 'pcap';
  readonly attachmentSummary = '';
  readonly #options: LiveOptions;
  readonly #fromWallUs: (wallUs: number) => number;
  readonly #accounting: PacketAccounting;
  readonly #unrecorded: UnrecordedSink;
  readonly #table: FlowTable;
  readonly #watched = new Map<number, WatchedInterface>();
  readonly #visibilityTracker = new VisibilityTracker();
  readonly #fragments = new Fragments();
  readonly #dnsSink: DnsSink | undefined;
  /** Separate objects for the DNS capture. Its packets are counted by the other captures. */
  readonly #dnsPacket = new Packet('opaque');
  readonly #dnsFragments = new Fragments(0);
  /** Packet objects that can be used again. */
  readonly #freePackets: Packet[] = [];
  #closing: PcapSession[] = [];
  /** When the DNS packets were read last. */
  #dnsReadUs: number;

  /** Without `dnsSink`, only headers are read. */
  constructor(options: LiveOptions, accounting: PacketAccounting, dnsSink?: DnsSink) {
    npmPcap();
    this.#options = options;
    this.#fromWallUs = options.fromWallUs ?? ((wallUs) => wallUs);
    this.#accounting = accounting;
    this.#unrecorded = options.unrecorded ?? ignoreUnrecorded;
    this.#dnsSink = dnsSink;
    this.#table = new FlowTable(options, accounting);
    this.#dnsReadUs = options.nowUs();
  }

  watch(link: PodInterface): void {
    if (this.#watched.has(link.index)) return;
    removeLeftoverFilters(link.index);
    this.#visibilityTracker.watch(link.index);
    this.#table.watch(link.index, this.#options.nowUs(), link.appearedUs === 0 ? 'before' : 'while-watching');
    const addressee = new LinkAddressee();
    const opened: PcapSession[] = [];
    try {
      const fromPod = this.#openSession(link, 'from-pod', addressee);
      opened.push(fromPod.session);
      const toPod = this.#openSession(link, 'to-pod', addressee);
      opened.push(toPod.session);
      const dnsSession = this.#openDns(link, toPod.session.linkType);
      this.#watched.set(link.index, {
        link,
        addressee,
        'from-pod': fromPod,
        'to-pod': toPod,
        dnsSession,
        readUs: this.#options.nowUs(),
      });
      if (dnsSession === undefined) return;
      const atUs = this.#options.nowUs();
      const fromStart = isWatchedFromStart(link, atUs);
      this.#dnsSink?.receive({ type: 'watched', interfaceIndex: link.index, atUs, isNew: fromStart });
    } catch (error) {
      for (const session of opened) this.#closeSession(session);
      throw error;
    }
  }

  setAddresses(index: number, addresses: PodAddresses): void {
    this.#watched.get(index)?.addressee.setAddresses(addresses);
  }

  forget(link: PodInterface): void {
    const watched = this.#watched.get(link.index);
    if (watched === undefined) return;
    this.#readCounted(watched);
    this.#mergeUpTo(watched, Number.POSITIVE_INFINITY);
    this.#watched.delete(link.index);
    this.#closeSession(watched['from-pod'].session);
    this.#closeSession(watched['to-pod'].session);
    if (watched.dnsSession !== undefined) {
      this.#readDns(watched.dnsSession, link.index);
      this.#closeSession(watched.dnsSession);
      this.#dnsSink?.receive({ type: 'forgotten', interfaceIndex: link.index });
    }
    this.#table.forget(link.index);
    this.#visibilityTracker.forget(link.index);
  }

  drain(nowUs: number, emit: (record: ConnectionRecord) => void): number {
    for (const watched of this.#watched.values()) {
      this.#readCounted(watched);
      // Before the records are emitted: a DNS answer must precede the connection that it leads to.
      if (watched.dnsSession !== undefined) this.#readDns(watched.dnsSession, watched.link.index);
    }
    this.#dnsReadUs = nowUs;
    this.#table.drain(nowUs, (record) => {
      this.#visibilityTracker.observe(record);
      emit(record);
    });
    this.#closing = this.#closing.filter((session) => !session.tryClose());
    return nowUs;
  }

  visibility(index: number): Visibility {
    return this.#visibilityTracker.at(index);
  }

  async close(emit: (record: ConnectionRecord) => void): Promise<void> {
    for (const { link } of [...this.#watched.values()]) this.forget(link);
    this.drain(this.#options.nowUs(), emit);
  }

  #openSession(link: PodInterface, direction: PodDirection, addressee: LinkAddressee): DirectionCapture {
    const { index } = link;
    const run = new PacketRun();
    const session = new PcapSession(
      link,
      {
        filter: direction === 'from-pod' ? 'inbound' : 'outbound',
        snapLength: headerBytes,
        bufferBytes: Math.floor(this.#options.bufferBytes / 2),
      },
      (bytes, captured, length, wallUs) =>
        this.#onFrame(side, index, bytes, captured, length, this.#fromWallUs(wallUs)),
      () => this.#readNow(index),
    );
    const side: DirectionCapture = { session, run, direction, addressee };
    return side;
  }

  /** Only on Ethernet links, because the filter cannot pass our own frame on others. */
  #openDns(link: PodInterface, linkType: number): PcapSession | undefined {
    const dnsSink = this.#dnsSink;
    if (dnsSink === undefined || linkType !== linkTypes.ethernet) return undefined;
    const session: PcapSession = new PcapSession(
      link,
      dnsSessionOptions,
      (bytes, captured, length, wallUs) =>
        this.#onDnsFrame(dnsSink, link.index, linkType, bytes.subarray(0, captured), length, this.#fromWallUs(wallUs)),
      () => session.read(),
    );
    return session;
  }

  #onDnsFrame(
    dnsSink: DnsSink,
    index: number,
    linkType: number,
    bytes: Uint8Array,
    length: number,
    timeUs: number,
  ): void {
    const dnsPacket = this.#dnsPacket;
    const decoded = decodeFrame(linkType, bytes, 0, bytes.length, length, this.#dnsFragments, dnsPacket);
    if (decoded !== 'packet' || dnsPacket.dnsStart === 0) return;
    const direction = dnsPacket.sourcePort === DNS ? 'to-pod' : 'from-pod';
    const packet = dnsPacketOf(dnsPacket, bytes, index, direction, timeUs);
    if (packet !== undefined) dnsSink.receive({ type: 'packet', ...packet });
  }

  #readDns(session: PcapSession, index: number): void {
    const before = session.counters();
    session.read();
    const { dropped, skipped } = session.missedSince(before);
    if (dropped + skipped > 0 || !this.visibility(index).fromPod) this.#missed(index, 'queries');
  }

  #missed(interfaceIndex: number, what: 'queries' | 'queries-and-forgeries'): void {
    this.#dnsSink?.receive({ type: 'missed', interfaceIndex, sinceUs: this.#dnsReadUs, what });
  }

  /** The filter of the DNS capture passes no packet that the pod sends from port 53. */
  #onFromDnsPort(packet: Packet, bytes: Uint8Array, index: number, timeUs: number): void {
    if (packet.destinationPort === DNS) this.#missed(index, 'queries');
    const asReply = dnsPacketOf(packet, bytes, index, 'to-pod', timeUs);
    if (asReply === undefined) return;
    this.#dnsSink?.receive({ ...asReply, type: 'sent-as-server', direction: 'from-pod' });
  }

  #readNow(index: number): void {
    const watched = this.#watched.get(index);
    if (watched !== undefined) this.#read(watched);
  }

  #closeSession(session: PcapSession): void {
    if (!session.tryClose()) this.#closing.push(session);
  }

  /** hot, once a packet */
  #onFrame(
    side: DirectionCapture,
    index: number,
    bytes: Uint8Array,
    captured: number,
    length: number,
    timeUs: number,
  ): void {
    this.#accounting.seen(1, length);
    const packet = this.#freePackets.pop() ?? new Packet('opaque');
    this.#fragments.timeUs = timeUs;
    const decoded = decodeFrame(side.session.linkType, bytes, 0, captured, length, this.#fragments, packet);
    if (this.#isOurs(side, bytes, packet) && decoded === 'packet') {
      if (packet.sourcePort === DNS && side.direction === 'from-pod') this.#onFromDnsPort(packet, bytes, index, timeUs);
      side.run.packets.push(packet);
      side.run.timesUs.push(timeUs);
      const watched = side.run.packets.length < maxWaiting ? undefined : this.#watched.get(index);
      if (watched !== undefined) this.#mergeUpTo(watched, Number.POSITIVE_INFINITY);
      return;
    }
    this.#freePackets.push(packet);
    if (decoded === 'packet') this.#accounting.ignored('not-ours', 1, length);
    else if (isIgnored(decoded)) this.#accounting.ignored(decoded, 1, length);
    else {
      this.#accounting.lost(decoded, 1, length);
      const { protocol } = packet;
      const lost = { packets: 1, bytes: length, firstUs: timeUs, lastUs: timeUs };
      this.#unrecorded.add(index, decoded, { direction: side.direction, protocol, port: 0, zone: 'unknown' }, lost);
    }
  }

  /** False for a frame to another host. Marks the packet if it does not prove delivery. */
  #isOurs({ session, direction, addressee }: DirectionCapture, bytes: Uint8Array, packet: Packet): boolean {
    if (session.linkType !== linkTypes.ethernet) return true;
    if (direction === 'from-pod') {
      addressee.learn(bytes);
      return true;
    }
    const of = addressee.of(bytes, packet);
    packet.deliveryUnproven = of === 'doubtful';
    return of !== 'another-host';
  }

  /**
   * Reads from-pod, to-pod, and from-pod again. After that, all packets up to the last packet of the second reading are
   * read. Later packets of the third reading wait until the next call.
   */
  #read(watched: WatchedInterface): void {
    const { 'from-pod': fromPod, 'to-pod': toPod } = watched;
    fromPod.session.read();
    const fromPodUs = fromPod.run.lastUs();
    toPod.session.read();
    fromPod.session.read();
    this.#mergeUpTo(watched, Math.max(fromPodUs, toPod.run.lastUs()));
  }

  #readCounted(watched: WatchedInterface): void {
    const sides = [watched['from-pod'], watched['to-pod']];
    const before = sides.map(({ session }) => session.counters());
    this.#read(watched);
    for (const [i, { session, direction }] of sides.entries()) {
      const { dropped, skipped } = session.missedSince(before[i]!);
      this.#accounting.seen(dropped + skipped, 0);
      this.#countMissed(watched, direction, 'kernel-buffer-full', dropped);
      this.#countMissed(watched, direction, 'capture-start', skipped);
      if (i === 0 && dropped + skipped > 0) this.#missed(watched.link.index, 'queries-and-forgeries');
    }
    watched.readUs = this.#options.nowUs();
  }

  /** Only the direction of these packets is known. */
  #countMissed({ link, readUs }: WatchedInterface, direction: PodDirection, reason: LossReason, packets: number): void {
    if (packets === 0) return;
    this.#accounting.lost(reason, packets, 0);
    const lost = { packets, bytes: 0, firstUs: readUs, lastUs: this.#options.nowUs() };
    this.#unrecorded.add(link.index, reason, { direction, protocol: 0, port: 0, zone: 'unknown' }, lost);
  }

  #mergeUpTo({ link, 'from-pod': fromPod, 'to-pod': toPod }: WatchedInterface, untilUs: number): void {
    mergeRuns(
      fromPod.run,
      toPod.run,
      untilUs,
      (packet, timeUs) => this.#add(packet, link.index, 'from-pod', timeUs),
      (packet, timeUs) => this.#add(packet, link.index, 'to-pod', timeUs),
    );
  }

  #add(packet: Packet, index: number, direction: PodDirection, timeUs: number): void {
    this.#table.add(packet, index, direction, timeUs);
    this.#freePackets.push(packet);
  }
}
