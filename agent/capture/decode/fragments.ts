// Later fragments carry no ports: they are those of the first fragment with the same addresses and id.
import type { Decoded, Packet } from './packet.ts';

type First = { protocol: number; sourcePort: number; destinationPort: number; decoded: 'packet' | 'carrier' };

export class Fragments {
  readonly #firsts = new Map<string, First>();
  readonly #limit: number;

  /** Remembers the newest `limit` first fragments. */
  constructor(limit = 4096) {
    this.#limit = limit;
  }

  /** Remembers what the first fragment was; returns `decoded`. */
  first(id: number, protocol: number, packet: Packet, decoded: Decoded): Decoded {
    // An ICMP error stands for what it quotes, so that its later fragments would pass for answers of that.
    if ((decoded !== 'packet' && decoded !== 'carrier') || packet.quoted) return decoded;
    const { sourcePort, destinationPort } = packet;
    const key = keyOf(id, protocol, packet);
    this.#firsts.delete(key);
    this.#firsts.set(key, { protocol: packet.protocol, sourcePort, destinationPort, decoded });
    if (this.#firsts.size > this.#limit) this.#firsts.delete(this.#firsts.keys().next().value!);
    return decoded;
  }

  later(id: number, protocol: number, packet: Packet): Decoded {
    const first = this.#firsts.get(keyOf(id, protocol, packet));
    if (first === undefined) return 'fragment-without-first';
    packet.protocol = first.protocol;
    packet.sourcePort = first.sourcePort;
    packet.destinationPort = first.destinationPort;
    return first.decoded;
  }
}

function keyOf(id: number, protocol: number, { source, destination }: Packet): string {
  return `${id} ${protocol} ${source.join()} ${destination.join()}`;
}
