// Conversations for capture files: realistic headers (options, flags, sequence numbers, sizes), without checksums and
// without payload.

/** Large enough for the headers of every frame written here. */
export const maxHeaderBytes = 128;

const FIN_ACK = 0x11;
const SYN = 0x02;
const SYN_ACK = 0x12;
const ACK = 0x10;
const PSH_ACK = 0x18;
const segmentBytes = 1448;
const synOptions = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
const timeOptions = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];

export type Random = () => number;

/** Clients are 10.1.0.0/16 or fd00::1:0/112, servers 10.2.0.0/16 or fd00::2:0/112. */
export type Ends = { client: number; server: number; clientPort: number; serverPort: number };
export type Headers = { network: 'ipv4' | 'ipv6'; transport: 'tcp' | 'udp'; vlan: boolean };

export class Conversation {
  readonly #ends: Ends;
  readonly #headers: Headers;
  readonly #packets: number;
  readonly #random: Random;
  #sent = 0;
  #sequence: { client: number; server: number };

  constructor(ends: Ends, headers: Headers, packets: number, random: Random) {
    this.#ends = ends;
    this.#headers = headers;
    this.#packets = packets;
    this.#random = random;
    this.#sequence = { client: Math.floor(random() * 0x7fffffff), server: Math.floor(random() * 0x7fffffff) };
  }

  get isOver(): boolean {
    return this.#sent >= this.#packets;
  }

  /** Writes the headers of the next frame; returns the frame's length on the wire. */
  next(into: Buffer, start: number): number {
    into.fill(0, start, start + maxHeaderBytes);
    const nth = this.#sent++;
    return this.#headers.transport === 'tcp' ? this.#tcp(into, start, nth) : this.#udp(into, start, nth);
  }

  #tcp(into: Buffer, start: number, nth: number): number {
    const isSyn = nth < 2;
    const isEnd = nth >= this.#packets - 3;
    const payload = isSyn || isEnd || nth === 2 ? 0 : this.#payload();
    // Client and server alternate in handshake and shutdown; in between the server sends more than the client.
    const fromClient = isSyn || isEnd ? nth % 2 === 0 : nth === 2 || this.#random() < 0.4;
    const options = isSyn ? synOptions : timeOptions;
    const headerBytes = 20 + options.length;
    const at = this.#network(into, start, fromClient, 6, headerBytes + payload);
    const flags = this.#flags(nth, payload);
    const [own, other] = fromClient ? (['client', 'server'] as const) : (['server', 'client'] as const);
    this.#ports(into, at, fromClient);
    into.writeUInt32BE(this.#sequence[own], at + 4);
    into.writeUInt32BE(flags === SYN ? 0 : this.#sequence[other], at + 8);
    into[at + 12] = (headerBytes / 4) << 4;
    into[at + 13] = flags;
    into.writeUInt16BE(64_240, at + 14);
    into.set(options, at + 20);
    this.#sequence[own] += isSyn ? 1 : payload;
    return at + headerBytes + payload - start;
  }

  /** At the end both sides send FIN, and the last packet is an ACK. */
  #flags(nth: number, payload: number): number {
    if (nth < 2) return nth === 0 ? SYN : SYN_ACK;
    if (payload > 0) return PSH_ACK;
    return nth === this.#packets - 3 || nth === this.#packets - 2 ? FIN_ACK : ACK;
  }

  #udp(into: Buffer, start: number, nth: number): number {
    const payload = this.#payload();
    const fromClient = nth % 2 === 0;
    const at = this.#network(into, start, fromClient, 17, 8 + payload);
    this.#ports(into, at, fromClient);
    into.writeUInt16BE(8 + payload, at + 4);
    return at + 8 + payload - start;
  }

  /** Nothing, a message, or a full segment. */
  #payload(): number {
    const kind = this.#random();
    if (kind < 0.35) return 0;
    return kind < 0.7 ? 1 + Math.floor(this.#random() * 600) : segmentBytes;
  }

  /** Ethernet and IP; returns where the transport begins. */
  #network(into: Buffer, start: number, fromClient: boolean, protocol: number, bodyBytes: number): number {
    const { client, server } = this.#ends;
    const { network, vlan } = this.#headers;
    into.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], start);
    let at = start + 12;
    if (vlan) {
      into.set([0x81, 0x00, 0x00, 0x2a], at);
      at += 4;
    }
    into.writeUInt16BE(network === 'ipv4' ? 0x0800 : 0x86dd, at);
    at += 2;
    const [source, destination] = fromClient
      ? [0x10000 + client, 0x20000 + server]
      : [0x20000 + server, 0x10000 + client];
    if (network === 'ipv4') {
      into.set([0x45, 0], at);
      into.writeUInt16BE(20 + bodyBytes, at + 2);
      into.set([this.#sent >> 8, this.#sent, 0x40, 0, 64, protocol], at + 4);
      into.writeUInt32BE(0x0a000000 + source, at + 12);
      into.writeUInt32BE(0x0a000000 + destination, at + 16);
      return at + 20;
    }
    into[at] = 0x60;
    into.writeUInt16BE(bodyBytes, at + 4);
    into.set([protocol, 64, 0xfd], at + 6);
    into.writeUInt32BE(source, at + 20);
    into[at + 24] = 0xfd;
    into.writeUInt32BE(destination, at + 36);
    return at + 40;
  }

  #ports(into: Buffer, at: number, fromClient: boolean): void {
    const { clientPort, serverPort } = this.#ends;
    into.writeUInt16BE(fromClient ? clientPort : serverPort, at);
    into.writeUInt16BE(fromClient ? serverPort : clientPort, at + 2);
  }
}
