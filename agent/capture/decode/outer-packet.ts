// A copy of the outer packet, for a flow that only looks like a tunnel. One object for all packets.
import type { Packet } from './packet.ts';

export class OuterPacket {
  isKnown = false;
  readonly #source = new Uint32Array(4);
  readonly #destination = new Uint32Array(4);
  #protocol = 0;
  #sourcePort = 0;
  #destinationPort = 0;
  #bytes = 0;
  #dnsStart = 0;
  #dnsEnd = 0;

  keep(packet: Packet): void {
    this.isKnown = true;
    this.#source.set(packet.source);
    this.#destination.set(packet.destination);
    this.#protocol = packet.protocol;
    this.#sourcePort = packet.sourcePort;
    this.#destinationPort = packet.destinationPort;
    this.#bytes = packet.bytes;
    this.#dnsStart = packet.dnsStart;
    this.#dnsEnd = packet.dnsEnd;
  }

  restore(into: Packet): void {
    const { interfaceIndex } = into;
    into.clear(this.#bytes);
    into.interfaceIndex = interfaceIndex;
    into.source.set(this.#source);
    into.destination.set(this.#destination);
    into.protocol = this.#protocol;
    into.sourcePort = this.#sourcePort;
    into.destinationPort = this.#destinationPort;
    into.dnsStart = this.#dnsStart;
    into.dnsEnd = this.#dnsEnd;
  }
}
