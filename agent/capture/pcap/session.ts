// One capture of npm `pcap`: one interface, one direction. Prepares it so that its first packet is not lost, reads it,
// counts missed packets, and closes it (docs/decisions/0011-npm-pcap.md has the reasons).
import { createRequire } from 'node:module';
import type { Binding, default as Pcap, Session } from 'pcap';
import { linkTypes } from '../decode/link-type.ts';
import { cannotCapture } from '../errors.ts';
import type { PodInterface } from '../source.ts';
import { bindSocket, bindToLoopback, openedSocket, sendThroughLoopback } from './capture-socket.ts';

/**
 * `bytes` has `captured` bytes of a frame of `length` bytes, and is valid until the call returns. `wallUs`: the wall clock when
 * the kernel got the packet.
 */
export type OnCaptured = (bytes: Uint8Array, captured: number, length: number, wallUs: number) => void;

/** Since the last call: `dropped` because the kernel buffer was full, `skipped` by libpcap. */
export type MissedPackets = { dropped: number; skipped: number };

/** `filter`: as in pcap-filter(7), with the direction. `snapLength`: bytes captured of each packet. */
export type SessionOptions = { filter: string; snapLength: number; bufferBytes: number };

const PCAP_ERROR_BREAK = -2;

/** npm `pcap` leaves its poll handle in libuv's list; garbage collection of the handle would corrupt that list. */
const closedBindings: Binding[] = [];

const require = createRequire(import.meta.url);
let loaded: typeof Pcap | undefined;

/** Loads npm `pcap` and libpcap on first use: the sources ebpf and tap do not need them. Throws if they are missing. */
export function npmPcap(): typeof Pcap {
  if (loaded !== undefined) return loaded;
  loaded = require('pcap') as typeof Pcap;
  loaded.warningHandler = () => undefined; // it warns of every interface that has no IPv4 address
  return loaded;
}

export class PcapSession {
  readonly linkType: number;
  readonly #session: Session;
  readonly #socket: number;
  #delivered = 0;
  #reported = { received: 0, dropped: 0, skipped: 0 };
  #listening = false;

  /** `onReadable` is called when packets can be read. Throws a ProblemError if the kernel refuses. */
  constructor(link: PodInterface, options: SessionOptions, onCaptured: OnCaptured, onReadable: () => void) {
    const { made, socket } = open(link, options);
    if (socket === undefined) throw cannotCapture(link.name, 'cannot find the socket of the capture');
    this.#session = made;
    this.#socket = socket;
    this.linkType = made.link_type === 'LINKTYPE_ETHERNET' ? linkTypes.ethernet : linkTypes.raw;
    // hot, once a packet
    made.on('packet', () => {
      if (!this.#listening) return;
      this.#delivered += 1;
      const { buf, header } = made;
      const captured = Math.min(header.readUInt32LE(8), buf.length);
      const wallUs = header.readUInt32LE(0) * 1_000_000 + header.readUInt32LE(4);
      onCaptured(buf, captured, header.readUInt32LE(12), wallUs);
    });
    if (!this.#makeReady(link.index)) {
      this.tryClose();
      throw cannotCapture(link.name, 'the interface is gone');
    }
    made.session.read_callback = onReadable;
    this.#listening = true;
    this.#reported.received = made.stats().ps_recv;
  }

  /** Reads all packets that the kernel has. */
  read(): void {
    const { session, buf, header } = this.#session;
    session.dispatch(buf, header);
  }

  /**
   * Read these before reading packets, and pass them to missedSince after that: packets that arrive meanwhile are not
   * lost.
   */
  counters(): { received: number; dropped: number } {
    const { ps_recv: received, ps_drop: dropped } = this.#session.stats();
    return { received, dropped };
  }

  missedSince({ received, dropped }: { received: number; dropped: number }): MissedPackets {
    const reported = this.#reported;
    // libpcap's counters have 32 bits, and `received` includes `dropped`.
    const sinceStart = (received - reported.received) >>> 0;
    const newlyDropped = (dropped - reported.dropped) >>> 0;
    reported.dropped = dropped;
    const skipped = Math.max(0, (sinceStart - dropped - this.#delivered - reported.skipped) | 0);
    reported.skipped += skipped;
    return { dropped: newlyDropped, skipped };
  }

  /** Returns false if it must be tried again. After true, the capture must not be used. */
  tryClose(): boolean {
    const { session, buf, header } = this.#session;
    this.#listening = false;
    this.#session.close();
    bindToLoopback(this.#socket);
    sendThroughLoopback();
    if (session.dispatch(buf, header) !== PCAP_ERROR_BREAK) return false;
    session.read_callback = undefined;
    closedBindings.push(session);
    // npm `pcap` calls dispatch once more after opening; that call must not reach the closed capture.
    this.#session.session = { dispatch: () => 0, read_callback: undefined };
    return true;
  }

  /**
   * libpcap skips the first packet of a capture: it filters that packet in user space and does not know its direction.
   * So we send the first packet. Returns false if the interface is gone.
   */
  #makeReady(index: number): boolean {
    if (bindToLoopback(this.#socket)) sendThroughLoopback();
    if (!bindSocket(this.#socket, index)) return false;
    this.read();
    return true;
  }
}

function open(link: PodInterface, { filter, snapLength, bufferBytes }: SessionOptions) {
  try {
    return openedSocket(link.index, () =>
      npmPcap().createSession(link.name, {
        filter,
        promiscuous: false,
        snap_length: snapLength,
        buffer_size: bufferBytes,
        buffer_timeout: 0, // immediate: packets can be read as soon as they arrive
      }),
    );
  } catch (error) {
    throw cannotCapture(link.name, error);
  }
}
