// Later fragments have no ports. They get those of the first fragment with the same addresses and id.
import { SCTP, TCP } from '../../../model/protocol.ts';
import type { Bytes, DecodeResult, Packet } from './packet.ts';
import { transport, transportOfFirstFragment, transportOfPart } from './transport.ts';

type FirstFragment = { protocol: number; sourcePort: number; destinationPort: number; decoded: 'packet' | 'carrier' };

/** A fragmented packet. `header`: the beginning of a transport header that is in several fragments. */
type Fragmented = {
  first: FirstFragment | undefined;
  /** Fragments that came before the first one. */
  held: { frames: number; bytes: number };
  header: Uint8Array | undefined;
  /** Which units of `header` are known. */
  units: number;
  /** The time of the newest fragment. */
  timeUs: number;
};

export type Uncounted = { frames: number; bytes: number };

/** Fragments begin at multiples of this (RFC 791). */
const unitBytes = 8;
/** Two units have the flags of TCP, and the first chunk type of SCTP. */
const bothUnits = 0b11;
const headerBytes = 20;
/** Linux gives up a packet after this time (ipfrag_time). Then its id may be that of another packet. */
export const maxFragmentAgeUs = 30_000_000;

export class Fragments {
  readonly #packets = new Map<string, Fragmented>();
  readonly #maxPackets: number;
  readonly #order: 'first-comes-first' | 'any';
  /** The time of the frame that is decoded next. The caller sets it. */
  timeUs = 0;
  #lost: Uncounted = { frames: 0, bytes: 0 };
  #carriers: Uncounted = { frames: 0, bytes: 0 };

  /**
   * Remembers the newest `maxPackets` packets. With the order `any`, fragments that come before the first one are held, and
   * a header in several fragments is put together. Then call `takeLost` and `takeCarriers`.
   */
  constructor(maxPackets = 4096, order: 'first-comes-first' | 'any' = 'first-comes-first') {
    this.#maxPackets = maxPackets;
    this.#order = order;
  }

  /**
   * Decodes the transport header from `at` to `end`, and remembers the ports. `key` has the protocol of IPv4, or -1.
   * `isAtStart`: no other header is before the transport header in the fragments.
   */
  first(
    id: number,
    key: number,
    bytes: Bytes,
    at: number,
    end: number,
    packet: Packet,
    isAtStart = true,
  ): DecodeResult {
    const name = keyOf(id, key, packet);
    const known = this.#find(name);
    const decoded = this.#decodeFirst(known, bytes, at, end, packet, isAtStart);
    // An ICMP error counts as a reply in the connection that it quotes; its later fragments must not.
    if ((decoded.as !== 'packet' && decoded.as !== 'carrier') || packet.quoted) {
      this.#forget(name);
      return decoded.as;
    }
    // The packet in the tunnel goes on in later fragments.
    if (decoded.as === 'carrier') packet.cut = true;
    const { protocol, sourcePort, destinationPort } = packet;
    const { header, units } = decoded;
    const first = { protocol, sourcePort, destinationPort, decoded: decoded.as };
    if (known !== undefined) this.#countHeld(known, decoded.as, packet);
    this.#packets.delete(name);
    this.#remember(name, { first, held: { frames: 0, bytes: 0 }, header, units, timeUs: this.timeUs });
    return decoded.as;
  }

  /** The fragment at that offset; its payload is from `at` to `end`. */
  later(id: number, key: number, offset: number, bytes: Bytes, at: number, end: number, packet: Packet): DecodeResult {
    const name = keyOf(id, key, packet);
    const known = this.#find(name);
    if (known?.first === undefined) {
      if (this.#order === 'any') this.#hold(name, known, offset, bytes, at, end, packet);
      return 'fragment-without-first';
    }
    const { first } = known;
    known.timeUs = this.timeUs;
    if (known.header !== undefined && addUnit(known, offset, bytes, at, end)) {
      const whole = transport(first.protocol, known.header, 0, headerBytes, packet);
      known.header = undefined;
      packet.dnsStart = 0;
      if (whole === 'packet') return whole;
    }
    packet.protocol = first.protocol;
    packet.sourcePort = first.sourcePort;
    packet.destinationPort = first.destinationPort;
    return first.decoded;
  }

  /** Held fragments whose first one did not come, and was not waited for any longer. */
  takeLost(): Uncounted {
    const lost = this.#lost;
    this.#lost = { frames: 0, bytes: 0 };
    return lost;
  }

  /** Held fragments that turned out to be of the outer packet of a tunnel. */
  takeCarriers(): Uncounted {
    const carriers = this.#carriers;
    this.#carriers = { frames: 0, bytes: 0 };
    return carriers;
  }

  /** No fragment follows. */
  end(): void {
    for (const name of this.#packets.keys()) this.#forget(name);
  }

  #decodeFirst(
    known: Fragmented | undefined,
    bytes: Bytes,
    at: number,
    end: number,
    packet: Packet,
    isAtStart: boolean,
  ) {
    const { protocol } = packet;
    const isWhole = end - at >= headerBytes || !isInUnits(protocol) || !isAtStart;
    if (this.#order === 'first-comes-first')
      return { as: transportOfFirstFragment(protocol, bytes, at, end, packet), header: undefined, units: 0 };
    if (isWhole)
      return { as: transportOfPart(protocol, bytes, at, end, end - at, packet), header: undefined, units: 0 };
    const parts = { header: known?.header ?? new Uint8Array(headerBytes), units: known?.units ?? 0 };
    if (addUnit(parts, 0, bytes, at, end)) {
      const as = transport(protocol, parts.header, 0, headerBytes, packet);
      packet.dnsStart = 0;
      return { as, header: undefined, units: 0 };
    }
    return { as: transportOfPart(protocol, bytes, at, end, end - at, packet), ...parts };
  }

  #hold(
    name: string,
    known: Fragmented | undefined,
    offset: number,
    bytes: Bytes,
    at: number,
    end: number,
    packet: Packet,
  ): void {
    const held: Fragmented = known ?? {
      first: undefined,
      held: { frames: 0, bytes: 0 },
      header: isInUnits(packet.protocol) ? new Uint8Array(headerBytes) : undefined,
      units: 0,
      timeUs: this.timeUs,
    };
    held.timeUs = this.timeUs;
    packet.held = true;
    held.held.frames += 1;
    held.held.bytes += packet.bytes;
    if (held.header !== undefined) addUnit(held, offset, bytes, at, end);
    if (known === undefined) this.#remember(name, held);
  }

  /** Counts the held fragments together with the packet that is about to be counted. */
  #countHeld({ held }: Fragmented, as: 'packet' | 'carrier', packet: Packet): void {
    if (as === 'packet') {
      packet.frames += held.frames;
      packet.bytes += held.bytes;
    } else addTo(this.#carriers, held);
  }

  /** The clock may have been set back. */
  #find(name: string): Fragmented | undefined {
    const known = this.#packets.get(name);
    if (known === undefined || Math.abs(this.timeUs - known.timeUs) <= maxFragmentAgeUs) return known;
    this.#forget(name);
    return undefined;
  }

  #remember(name: string, fragmented: Fragmented): void {
    this.#packets.set(name, fragmented);
    if (this.#packets.size > this.#maxPackets) this.#forget(this.#packets.keys().next().value!);
  }

  #forget(name: string): void {
    const known = this.#packets.get(name);
    if (known === undefined) return;
    addTo(this.#lost, known.held);
    this.#packets.delete(name);
  }
}

function isInUnits(protocol: number): boolean {
  return protocol === TCP || protocol === SCTP;
}

/** Copies the payload of a fragment at that offset into the header. True if the header has what is needed. */
function addUnit(
  parts: { header: Uint8Array | undefined; units: number },
  offset: number,
  bytes: Bytes,
  at: number,
  end: number,
): boolean {
  for (let i = 0; i < end - at && offset + i < headerBytes; i++) parts.header![offset + i] = bytes[at + i]!;
  for (let unit = 0; unit < 2; unit++) {
    const isIn = offset <= unit * unitBytes && offset + end - at >= (unit + 1) * unitBytes;
    if (isIn) parts.units |= 1 << unit;
  }
  return (parts.units & bothUnits) === bothUnits;
}

function addTo(sum: Uncounted, { frames, bytes }: Uncounted): void {
  sum.frames += frames;
  sum.bytes += bytes;
}

/** Hosts of other VLANs, or behind other interfaces, may have the same addresses. */
function keyOf(id: number, key: number, { source, destination, vlan, interfaceIndex }: Packet): string {
  return `${id} ${key} ${vlan} ${interfaceIndex} ${source.join()} ${destination.join()}`;
}
