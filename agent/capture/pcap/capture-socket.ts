// The packet socket of a libpcap capture. npm `pcap` ends a capture only when a packet arrives
// (docs/decisions/0011-npm-pcap.md), and none arrives at an interface that is gone. So we find the socket among the
// open files of this process, bind it to the loopback interface, and send it a frame.
import { readdirSync } from 'node:fs';
import {
  bindPacketSocket,
  boundInterface,
  ETH_P_ALL,
  loopbackIndex,
  openPacketSocket,
  sendFrame,
} from '../../../kernel/packet-socket.ts';

/** EtherType for local experiments (IEEE 802); no program listens for it. */
const LOCAL_EXPERIMENT = 0x88b5;
const frameBytes = 60;

let sender = -1;

/**
 * Calls `make`, which opens a packet socket on the interface. Returns that socket too, undefined if it is not found.
 */
export function openedSocket<Made>(index: number, make: () => Made): { made: Made; socket: number | undefined } {
  const before = new Set(openFiles());
  const made = make();
  const socket = openFiles().find((fd) => !before.has(fd) && boundInterface(fd) === index);
  return { made, socket };
}

/** False if the interface is gone. */
export function bindSocket(socket: number, index: number): boolean {
  return bindPacketSocket(socket, index, ETH_P_ALL) === 0;
}

export function bindToLoopback(socket: number): boolean {
  return bindSocket(socket, loopbackIndex);
}

/** Sends one frame that no other program reads through the loopback interface. */
export function sendThroughLoopback(): void {
  if (sender < 0) sender = openPacketSocket();
  const frame = Buffer.alloc(frameBytes);
  frame.writeUInt16BE(LOCAL_EXPERIMENT, 12);
  sendFrame(sender, frame, loopbackIndex, LOCAL_EXPERIMENT);
}

function openFiles(): number[] {
  return readdirSync('/proc/self/fd').map(Number);
}
