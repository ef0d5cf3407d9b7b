// Live capture by libpcap (npm `pcap`): two captures on each pod interface, one for each direction, since libpcap tells
// the direction of a packet only by what its filter lets through. Seen from the host side of the veth, inbound is what
// leaves the pod.
import pcap, { type Session } from 'pcap';
import type { Books } from '../../../books/books.ts';
import { TCP } from '../../../model/protocol.ts';
import type { ConnectionRecord } from '../../../model/record.ts';
import { ACK, RST } from '../../../model/record.ts';
import { FlowTable, type FlowTableOptions } from '../../records/flow-table.ts';
import { Fragments } from '../decode/fragments.ts';
import { decodeFrame, linkTypes } from '../decode/frame.ts';
import { Packet } from '../decode/packet.ts';
import { cannotCapture } from '../errors.ts';
import type { CaptureSource, PodInterface } from '../source.ts';

export type LiveOptions = FlowTableOptions & { bufferBytes: number; nowUs: () => number };

/** Headers only: Ethernet with two tags, IPv6 with extensions, and what an ICMP error quotes. */
const snapLength = 256;

type Way = 'from-pod' | 'to-pod';
type Watched = { link: PodInterface; captures: { session: Session; delivered: number; dropped: number }[] } & Seen;
/** `proven`: traffic the other way shows that this direction carries packets too. */
type Seen = Record<Way, { seen: boolean; proven: boolean }>;

export class PcapSource implements CaptureSource {
  readonly name = 'pcap';
  readonly #options: LiveOptions;
  readonly #books: Books;
  readonly #table: FlowTable;
  readonly #watched = new Map<number, Watched>();
  readonly #packet = new Packet();
  readonly #fragments = new Fragments();
  readonly #startedUs: number;

  constructor(options: LiveOptions, books: Books) {
    this.#options = options;
    this.#books = books;
    this.#table = new FlowTable(options, books);
    this.#startedUs = options.nowUs();
    pcap.warningHandler = () => undefined; // it warns of every interface that has no IPv4 address
  }

  watch(link: PodInterface): void {
    const watched: Watched = {
      link,
      captures: [],
      'from-pod': { seen: false, proven: false },
      'to-pod': { seen: false, proven: false },
    };
    const nowUs = this.#options.nowUs();
    this.#table.watch(link.index, nowUs, link.appearedUs > this.#startedUs ? 'while-watching' : 'before');
    try {
      this.#open(watched, 'from-pod', 'inbound');
      this.#open(watched, 'to-pod', 'outbound');
    } catch (error) {
      for (const { session } of watched.captures) session.close();
      throw cannotCapture(link.name, error);
    }
    this.#watched.set(link.index, watched);
  }

  forget(link: PodInterface): void {
    const watched = this.#watched.get(link.index);
    if (watched === undefined) return;
    this.#read(watched);
    this.#watched.delete(link.index);
    for (const { session } of watched.captures) session.close();
    this.#table.forget(link.index);
  }

  drain(nowUs: number, emit: (record: ConnectionRecord) => void): void {
    for (const watched of this.#watched.values()) this.#read(watched);
    this.#table.drain(nowUs, emit);
  }

  visible(index: number): { fromPod: boolean; toPod: boolean } {
    const watched = this.#watched.get(index);
    if (watched === undefined) return { fromPod: true, toPod: true };
    const of = ({ seen, proven }: { seen: boolean; proven: boolean }) => seen || !proven;
    return { fromPod: of(watched['from-pod']), toPod: of(watched['to-pod']) };
  }

  close(): void {
    for (const { link } of [...this.#watched.values()]) this.forget(link);
  }

  #open(watched: Watched, way: Way, filter: 'inbound' | 'outbound'): void {
    const session = pcap.createSession(watched.link.name, {
      filter,
      promiscuous: false,
      snap_length: snapLength,
      buffer_size: this.#options.bufferBytes,
      buffer_timeout: 0, // immediate: what the kernel saw can be read at once
    });
    const capture = { session, delivered: 0, dropped: 0 };
    const linkType = session.link_type === 'LINKTYPE_ETHERNET' ? linkTypes.ethernet : linkTypes.raw;
    session.on('packet', () => {
      capture.delivered += 1;
      this.#take(watched, way, linkType, session);
    });
    watched.captures.push(capture);
  }

  /** hot, once a packet */
  #take(watched: Watched, way: Way, linkType: number, { buf, header }: Session): void {
    const packet = this.#packet;
    const captured = Math.min(header.readUInt32LE(8), buf.length);
    const timeUs = header.readUInt32LE(0) * 1_000_000 + header.readUInt32LE(4);
    this.#books.seen(1);
    const decoded = decodeFrame(linkType, buf, 0, captured, header.readUInt32LE(12), this.#fragments, packet);
    switch (decoded) {
      case 'packet':
        this.#table.add(packet, watched.link.index, way, timeUs);
        this.#learn(watched, way, packet);
        return;
      case 'not-ip':
      case 'carrier':
        this.#books.setAside(decoded, 1);
        return;
      default:
        this.#books.lost(decoded, 1);
    }
  }

  #learn(watched: Watched, way: Way, packet: Packet): void {
    watched[way].seen = true;
    if (packet.protocol !== TCP || (packet.tcpFlags & (ACK | RST)) !== ACK) return;
    watched[way === 'from-pod' ? 'to-pod' : 'from-pod'].proven = true;
  }

  /** Everything that the kernel holds for us, so that what was seen before now is in the next drain. */
  #read(watched: Watched): void {
    for (const capture of watched.captures) {
      const { session } = capture;
      session.session.dispatch(session.buf, session.header);
      const dropped = session.stats().ps_drop;
      const fresh = dropped - capture.dropped;
      capture.dropped = dropped;
      if (fresh <= 0) continue;
      this.#books.seen(fresh);
      this.#books.lost('kernel-buffer-full', fresh);
    }
  }
}
