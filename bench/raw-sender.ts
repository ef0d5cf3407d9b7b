// Sends frames as fast as one core can, by sendmmsg on a packet socket. Packets of a transmit ring would consist of several
// pieces of memory, unlike those of programs. The frames are in fixed memory, because their headers contain addresses.
import { closeFd, sendmmsg } from '../kernel/libc.ts';
import { type FixedMemory, fixedMemory } from '../kernel/memory.ts';
import { bindPacketSocket, openPacketSocket } from '../kernel/packet-socket.ts';

const headerBytes = 64; // struct mmsghdr
const vectorBytes = 16; // struct iovec

export class RawSender {
  readonly #fd: number;
  readonly #batches: { memory: FixedMemory; count: number }[] = [];

  constructor(interfaceIndex: number, frames: readonly Buffer[], batch = 512) {
    this.#fd = openPacketSocket();
    if (bindPacketSocket(this.#fd, interfaceIndex, 0) !== 0) throw new Error('the packet socket cannot be bound');
    for (let from = 0; from < frames.length; from += batch)
      this.#batches.push(batchOf(frames.slice(from, from + batch)));
  }

  close(): void {
    closeFd(this.#fd);
    for (const { memory } of this.#batches) memory.free();
    this.#batches.length = 0;
  }

  /** Sends at least `packets` packets, repeating the frames. Returns how many it sent. */
  send(packets: number): number {
    let sent = 0;
    for (let at = 0; sent < packets; at = (at + 1) % this.#batches.length) {
      const { memory, count } = this.#batches[at]!;
      sent += sendmmsg(this.#fd, memory.address, count, 0);
    }
    return sent;
  }
}

/** The mmsghdr structures of the frames, their iovec structures, and the frames. */
function batchOf(frames: readonly Buffer[]): { memory: FixedMemory; count: number } {
  const count = frames.length;
  const vectorsAt = count * headerBytes;
  let at = vectorsAt + count * vectorBytes;
  const memory = fixedMemory(frames.reduce((bytes, frame) => bytes + frame.length, at));
  const { address: base, view: arena } = memory;
  for (const [i, frame] of frames.entries()) {
    const vectorAt = vectorsAt + i * vectorBytes;
    arena.writeBigUInt64LE(base + BigInt(vectorAt), i * headerBytes + 16);
    arena.writeBigUInt64LE(1n, i * headerBytes + 24);
    arena.writeBigUInt64LE(base + BigInt(at), vectorAt);
    arena.writeBigUInt64LE(BigInt(frame.length), vectorAt + 8);
    frame.copy(arena, at);
    at += frame.length;
  }
  return { memory, count };
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
