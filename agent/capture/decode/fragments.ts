// Later fragments have no ports. They get those of the first fragment with the same addresses and id.
import type { DecodeResult, Packet } from './packet.ts';

type FirstFragment = { protocol: number; sourcePort: number; destinationPort: number; decoded: 'packet' | 'carrier' };

export class Fragments {
  readonly #firsts = new Map<string, FirstFragment>();
  readonly #maxFirsts: number;

  /** Remembers the newest `maxFirsts` first fragments. */
  constructor(maxFirsts = 4096) {
    this.#maxFirsts = maxFirsts;
  }

  /** Remembers the ports of a first fragment; returns `decoded`. */
  rememberFirst(id: number, protocol: number, packet: Packet, decoded: DecodeResult): DecodeResult {
    // An ICMP error counts as a reply in the connection that it quotes; its later fragments must not.
    if ((decoded !== 'packet' && decoded !== 'carrier') || packet.quoted) return decoded;
    const { sourcePort, destinationPort } = packet;
    const key = keyOf(id, protocol, packet);
    this.#firsts.delete(key);
    this.#firsts.set(key, { protocol: packet.protocol, sourcePort, destinationPort, decoded });
    if (this.#firsts.size > this.#maxFirsts) this.#firsts.delete(this.#firsts.keys().next().value!);
    return decoded;
  }

  resolveLater(id: number, protocol: number, packet: Packet): DecodeResult {
    const firstFragment = this.#firsts.get(keyOf(id, protocol, packet));
    if (firstFragment === undefined) return 'fragment-without-first';
    packet.protocol = firstFragment.protocol;
    packet.sourcePort = firstFragment.sourcePort;
    packet.destinationPort = firstFragment.destinationPort;
    return firstFragment.decoded;
  }
}

function keyOf(id: number, protocol: number, { source, destination }: Packet): string {
  return `${id} ${protocol} ${source.join()} ${destination.join()}`;
}
