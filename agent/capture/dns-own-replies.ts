// Packets that a pod itself sends from port 53. With its own address as the destination, and that of a DNS server as the
// source, such a packet leaves the pod, and its node brings it back like a reply of the server.
import type { Address } from '../../model/address.ts';
import { UDP } from '../../model/protocol.ts';
import { word16 } from './decode/packet.ts';
import type { DnsPacket } from './source.ts';

/** The id of the message over UDP. A TCP segment may have any: all of its connection count. */
export function idOf({ protocol, payload }: DnsPacket): number | undefined {
  return protocol === UDP && payload.length >= 2 ? word16(payload, 0) : undefined;
}

/** Longer than a packet takes to come back, and longer than the kernel hides repeats. */
const keptUs = 30_000_000;
const maxClients = 64;

export class OwnReplies {
  readonly #max: number;
  /**
   * Addresses that the pod sent queries from, with the time of the latest; the one that is oldest comes first. Replies to
   * others are for others: the pod is a DNS server.
   */
  readonly #clients = new Map<Address, number>();
  readonly #toClients = new Map<string, number>();
  readonly #toOthers = new Map<string, number>();
  #evictedUs = Number.NEGATIVE_INFINITY;
  /** Until then, something that is not remembered may come back. */
  #fullUntilUs = Number.NEGATIVE_INFINITY;

  constructor(max: number) {
    this.#max = max;
  }

  addClient({ client, timeUs }: DnsPacket): void {
    for (const [oldest, atUs] of this.#clients) {
      if (timeUs - atUs <= keptUs) break;
      this.#clients.delete(oldest);
    }
    const isNew = !this.#clients.delete(client);
    if (isNew) this.#fullUntilUs = Math.max(this.#fullUntilUs, this.#evictedUs + keptUs);
    if (this.#clients.size < maxClients) this.#clients.set(client, timeUs);
    else this.#fullUntilUs = timeUs + keptUs;
  }

  /** Returns whether the packet goes to an address that the pod sent queries from. */
  add(packet: DnsPacket): boolean {
    const isToClient = this.#clients.has(packet.client);
    this.#addTo(isToClient ? this.#toClients : this.#toOthers, packet);
    return isToClient;
  }

  #addTo(replies: Map<string, number>, packet: DnsPacket): void {
    const { timeUs } = packet;
    const key = keyOf(packet, idOf(packet));
    replies.delete(key);
    replies.set(key, timeUs);
    for (const [oldest, atUs] of replies) {
      const isOld = timeUs - atUs > keptUs;
      if (!isOld && replies.size <= this.#max) return;
      replies.delete(oldest);
      if (isOld) continue;
      if (replies === this.#toClients) this.#fullUntilUs = timeUs + keptUs;
      else this.#evictedUs = timeUs;
    }
  }

  /** Whether the pod itself may have sent the packet that arrives. */
  mayBe(packet: DnsPacket): boolean {
    if (packet.timeUs <= this.#fullUntilUs) return true;
    const keys = [keyOf(packet, idOf(packet)), keyOf(packet, undefined)];
    return keys.some((key) => {
      const atUs = this.#toClients.get(key) ?? this.#toOthers.get(key);
      return atUs !== undefined && packet.timeUs - atUs <= keptUs;
    });
  }
}

function keyOf({ protocol, client, clientPort }: DnsPacket, id: number | undefined): string {
  return `${protocol} ${clientPort} ${id ?? ''} ${client}`;
}
