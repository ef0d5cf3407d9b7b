// Packet sockets: packet(7).
import { bind, getsockname, SOCK_RAW_CLOEXEC, sendto, socket } from './libc.ts';

const AF_PACKET = 17;
const addressBytes = 20;
export const ETH_P_ALL = 3;
export const loopbackIndex = 1;

/** It receives nothing before it is bound. Negative if the kernel refuses. */
export function openPacketSocket(): number {
  return socket(AF_PACKET, SOCK_RAW_CLOEXEC, 0);
}

/** `protocol` 0 receives nothing. Negative if the interface is gone. */
export function bindPacketSocket(fd: number, interfaceIndex: number, protocol: number): number {
  const address = packetAddress(interfaceIndex, protocol);
  return bind(fd, address, address.length);
}

/** The index of the interface that a packet socket is bound to; -1 if `fd` is not a packet socket. */
export function boundInterface(fd: number): number {
  const address = Buffer.alloc(addressBytes);
  if (getsockname(fd, address, [address.length]) !== 0) return -1;
  return address.readUInt16LE(0) === AF_PACKET ? address.readInt32LE(4) : -1;
}

export function sendFrame(fd: number, frame: Buffer, interfaceIndex: number, protocol: number): number {
  const address = packetAddress(interfaceIndex, protocol);
  return sendto(fd, frame, frame.length, 0, address, address.length);
}

/** struct sockaddr_ll */
function packetAddress(interfaceIndex: number, protocol: number): Buffer {
  const address = Buffer.alloc(addressBytes);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(protocol, 2);
  address.writeInt32LE(interfaceIndex, 4);
  return address;
}
