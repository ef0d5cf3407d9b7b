// Sends frames as fast as one core can, by sendmmsg on a packet socket. Unlike frames of a transmit ring, they are
// contiguous, as the frames of programs are. They are in memory of the C library: its addresses do not change.
import koffi from 'koffi';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const headerBytes = 64; // struct mmsghdr
const vectorBytes = 16; // struct iovec
const addressBytes = 20; // struct sockaddr_ll

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int, int, int)');
const bind = libc.func('int bind(int, const void *, uint32_t)');
const malloc = libc.func('void *malloc(size_t)');
const free = libc.func('void free(void *)');
const closeFd = libc.func('int close(int)');
const memcpy = libc.func('void *memcpy(void *, const void *, size_t)');
const sendmmsg = libc.func('int sendmmsg(int, void *, unsigned int, int)');

export class RawSender {
  readonly #fd: number;
  readonly #batches: { headers: unknown; count: number }[] = [];

  constructor(interfaceIndex: number, frames: readonly Buffer[], batch = 512) {
    this.#fd = socket(AF_PACKET, SOCK_RAW, 0) as number;
    const address = Buffer.alloc(addressBytes);
    address.writeUInt16LE(AF_PACKET, 0);
    address.writeInt32LE(interfaceIndex, 4);
    if ((bind(this.#fd, address, address.length) as number) !== 0) throw new Error('cannot bind the packet socket');
    for (let from = 0; from < frames.length; from += batch)
      this.#batches.push(arenaOf(frames.slice(from, from + batch)));
  }

  close(): void {
    closeFd(this.#fd);
    for (const { headers } of this.#batches) free(headers);
    this.#batches.length = 0;
  }

  /** Sends at least `packets`, cycling through the frames; returns the number sent. */
  send(packets: number): number {
    let sent = 0;
    for (let at = 0; sent < packets; at = (at + 1) % this.#batches.length) {
      const { headers, count } = this.#batches[at]!;
      sent += sendmmsg(this.#fd, headers, count, 0) as number;
    }
    return sent;
  }
}

function arenaOf(frames: readonly Buffer[]): { headers: unknown; count: number } {
  const count = frames.length;
  const vectorsAt = count * headerBytes;
  let at = vectorsAt + count * vectorBytes;
  const arena = Buffer.alloc(frames.reduce((bytes, frame) => bytes + frame.length, at));
  const headers: unknown = malloc(arena.length);
  const base = BigInt(koffi.address(headers as never));
  for (const [i, frame] of frames.entries()) {
    const vectorAt = vectorsAt + i * vectorBytes;
    arena.writeBigUInt64LE(base + BigInt(vectorAt), i * headerBytes + 16);
    arena.writeBigUInt64LE(1n, i * headerBytes + 24);
    arena.writeBigUInt64LE(base + BigInt(at), vectorAt);
    arena.writeBigUInt64LE(BigInt(frame.length), vectorAt + 8);
    frame.copy(arena, at);
    at += frame.length;
  }
  memcpy(headers, arena, arena.length);
  return { headers, count };
}

/** An Ethernet frame of 60 bytes with a small UDP datagram, 10.0.0.`host`:`sourcePort` -> 10.0.1.1:9. */
export function udpFrame(host: number, sourcePort: number): Buffer {
  const frame = Buffer.alloc(60);
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45]);
  frame.writeUInt16BE(46, 16);
  frame.set([64, 17], 22);
  frame.set([10, 0, 0, host, 10, 0, 1, 1], 26);
  frame.writeUInt16BE(sourcePort, 34);
  frame.writeUInt16BE(9, 36);
  frame.writeUInt16BE(26, 38);
  return frame;
}
