// The packet socket under a libpcap capture, found among this process's files and bound again: npm `pcap` ends a capture
// only by a packet that arrives (docs/decisions/0011-npm-pcap.md), and none arrives at an interface that is gone. Bound to
// the loopback interface, the socket gets one from us.
import { readdirSync } from 'node:fs';
import {
  bindPacketSocket,
  boundInterface,
  ETH_P_ALL,
  loopbackIndex,
  openPacketSocket,
  sendFrame,
} from '../../../kernel/packet-socket.ts';

/** IEEE 802: for local experiments; no program listens for it. */
const LOCAL_EXPERIMENT = 0x88b5;
const frameBytes = 60;

let sender = -1;

/** Calls `make`, which opens a packet socket on the interface, and returns that socket too; undefined where none is found. */
export function openedSocket<Made>(index: number, make: () => Made): { made: Made; socket: number | undefined } {
  const before = new Set(openFiles());
  const made = make();
  const socket = openFiles().find((fd) => !before.has(fd) && boundInterface(fd) === index);
  return { made, socket };
}

/** False where the kernel refuses: the interface is gone. */
export function bindSocket(socket: number, index: number): boolean {
  return bindPacketSocket(socket, index, ETH_P_ALL) === 0;
}

export function bindToLoopback(socket: number): boolean {
  return bindSocket(socket, loopbackIndex);
}

/** One frame through the loopback interface, where no program reads it. */
export function sendThroughLoopback(): void {
  if (sender < 0) sender = openPacketSocket();
  const frame = Buffer.alloc(frameBytes);
  frame.writeUInt16BE(LOCAL_EXPERIMENT, 12);
  sendFrame(sender, frame, loopbackIndex, LOCAL_EXPERIMENT);
}

function openFiles(): number[] {
  return readdirSync('/proc/self/fd').map(Number);
}
