// One capture of npm `pcap`: one interface, one direction. Makes it ready so that its first packet is not lost, reads it,
// keeps its books, and gives it back to the kernel (docs/decisions/0011-npm-pcap.md has the reasons).
import { createRequire } from 'node:module';
import type { Binding, default as Pcap, Session } from 'pcap';
import { linkTypes } from '../decode/link-type.ts';
import { cannotCapture } from '../errors.ts';
import type { PodInterface } from '../source.ts';
import { bindSocket, bindToLoopback, openedSocket, sendThroughLoopback } from './capture-socket.ts';

/** `bytes` holds `captured` bytes of a frame that was `length` long, and is valid until it returns. */
export type OnCaptured = (bytes: Uint8Array, captured: number, length: number, timeUs: number) => void;

/** What the kernel counted since this was asked last: packets that it had no room for, and that libpcap passed over. */
export type MissedPackets = { dropped: number; skipped: number };

/** What is let through, as pcap-filter(7) has it, with its direction; how much of a packet is kept, and room for how many. */
export type SessionOptions = { filter: string; snapLength: number; bufferBytes: number };

const PCAP_ERROR_BREAK = -2;

/** npm `pcap` leaves its poll handle in libuv's list of handles: were it collected, the list would break. */
const closedBindings: Binding[] = [];

const require = createRequire(import.meta.url);
let loaded: typeof Pcap | undefined;

/** Loads it, with libpcap: an agent that has a program in the kernel does without. Throws where it cannot be had. */
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

  /** `readable` is called whenever there is something to read. Throws a ProblemError where the kernel refuses. */
  constructor(link: PodInterface, options: SessionOptions, onCaptured: OnCaptured, onReadable: () => void) {
    const { made, socket } = open(link, options);
    if (socket === undefined) throw cannotCapture(link.name, 'the socket of the capture is not found');
    this.#session = made;
    this.#socket = socket;
    this.linkType = made.link_type === 'LINKTYPE_ETHERNET' ? linkTypes.ethernet : linkTypes.raw;
    // hot, once a packet
    made.on('packet', () => {
      if (!this.#listening) return;
      this.#delivered += 1;
      const { buf, header } = made;
      const captured = Math.min(header.readUInt32LE(8), buf.length);
      const timeUs = header.readUInt32LE(0) * 1_000_000 + header.readUInt32LE(4);
      onCaptured(buf, captured, header.readUInt32LE(12), timeUs);
    });
    if (!this.#makeReady(link.index)) {
      this.tryClose();
      throw cannotCapture(link.name, 'the interface is gone');
    }
    made.session.read_callback = onReadable;
    this.#listening = true;
    this.#reported.received = made.stats().ps_recv;
  }

  /** Hands over everything that the kernel holds. */
  read(): void {
    const { session, buf, header } = this.#session;
    session.dispatch(buf, header);
  }

  /** To be asked before reading and settled after it, so that what came in meanwhile is not taken for lost. */
  counters(): { received: number; dropped: number } {
    const { ps_recv: received, ps_drop: dropped } = this.#session.stats();
    return { received, dropped };
  }

  missedSince({ received, dropped }: { received: number; dropped: number }): MissedPackets {
    const reported = this.#reported;
    // libpcap's counters are of 32 bits, and what was received holds what was dropped.
    const sinceStart = (received - reported.received) >>> 0;
    const newlyDropped = (dropped - reported.dropped) >>> 0;
    reported.dropped = dropped;
    const skipped = Math.max(0, (sinceStart - dropped - this.#delivered - reported.skipped) | 0);
    reported.skipped += skipped;
    return { dropped: newlyDropped, skipped };
  }

  /** False where it could not be done yet; else the capture may not be used any more. */
  tryClose(): boolean {
    const { session, buf, header } = this.#session;
    this.#listening = false;
    this.#session.close();
    bindToLoopback(this.#socket);
    sendThroughLoopback();
    if (session.dispatch(buf, header) !== PCAP_ERROR_BREAK) return false;
    session.read_callback = undefined;
    closedBindings.push(session);
    // What npm `pcap` still calls once after opening must not reach what is closed.
    this.#session.session = { dispatch: () => 0, read_callback: undefined };
    return true;
  }

  /**
   * libpcap filters the first packet of a capture by itself, where it does not know its direction, and passes it over.
   * So the first is one of ours. False where the interface is gone.
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
        buffer_timeout: 0, // immediate: what the kernel saw can be read at once
      }),
    );
  } catch (error) {
    throw cannotCapture(link.name, error);
  }
}
