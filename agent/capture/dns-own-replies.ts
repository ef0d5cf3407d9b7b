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

/** Longer than a packet needs back to the pod, and than the kernel's rows hide further packets of a connection. */
const keptUs = 30_000_000;
const maxClients = 64;

export class OwnReplies {
  readonly #max: number;
  /** Addresses that the pod sent queries from. Replies to others are for others: the pod is a DNS server. */
  readonly #clients = new Set<Address>();
  readonly #toClients = new Map<string, number>();
  readonly #toOthers = new Map<string, number>();
  #evictedUs = Number.NEGATIVE_INFINITY;
  #isFull = false;

  constructor(max: number) {
    this.#max = max;
  }

  addClient({ client, timeUs }: DnsPacket): void {
    if (this.#clients.has(client)) return;
    this.#clients.add(client);
    if (this.#clients.size > maxClients || timeUs - this.#evictedUs < keptUs) this.#isFull = true;
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
      if (replies === this.#toClients) this.#isFull = true;
      else this.#evictedUs = timeUs;
    }
  }

  /** Whether the pod itself may have sent the packet that arrives. */
  mayBe(packet: DnsPacket): boolean {
    if (this.#isFull) return true;
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
