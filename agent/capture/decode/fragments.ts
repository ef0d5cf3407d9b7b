// Later fragments carry no ports: they are those of the first fragment with the same addresses, protocol and id.
import type { Decoded, Packet } from './packet.ts';

type Ports = { source: number; destination: number };

export class Fragments {
  readonly #ports = new Map<string, Ports>();
  readonly #limit: number;

  /** Remembers the newest `limit` first fragments. */
  constructor(limit = 4096) {
    this.#limit = limit;
  }

  first(id: number, packet: Packet): void {
    const key = keyOf(id, packet);
    this.#ports.delete(key);
    this.#ports.set(key, { source: packet.sourcePort, destination: packet.destinationPort });
    if (this.#ports.size > this.#limit) this.#ports.delete(this.#ports.keys().next().value!);
  }

  later(id: number, packet: Packet): Decoded {
    const ports = this.#ports.get(keyOf(id, packet));
    if (ports === undefined) return 'fragment-without-first';
    packet.sourcePort = ports.source;
    packet.destinationPort = ports.destination;
    return 'packet';
  }
}

function keyOf(id: number, { protocol, source, destination }: Packet): string {
  return `${id} ${protocol} ${source.join()} ${destination.join()}`;
}
