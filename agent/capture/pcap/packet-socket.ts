// The packet socket under a libpcap capture, told by the kernel and bound anew: npm `pcap` has no way to end a capture
// but by a packet that comes in (docs/decisions/0011-npm-pcap.md), and an interface that is gone brings none. Bound to
// the loopback interface, the socket gets one from us.
import { readdirSync } from 'node:fs';
import koffi from 'koffi';

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const ETH_P_ALL = 3;
/** IEEE 802: for local experiments; no program listens for it. */
const LOCAL_EXPERIMENT = 0x88b5;
const loopbackIndex = 1;
const addressBytes = 20;
const frameBytes = 60;

type Libc = {
  socket: (domain: number, type: number, protocol: number) => number;
  getsockname: (fd: number, address: Buffer, length: number[]) => number;
  bind: (fd: number, address: Buffer, length: number) => number;
  sendto: (fd: number, frame: Buffer, size: number, flags: number, address: Buffer, length: number) => number;
};

let libc: Libc | undefined;
let sender = -1;

function loadLibc(): Libc {
  if (libc !== undefined) return libc;
  const library = koffi.load('libc.so.6');
  libc = {
    socket: library.func('int socket(int, int, int)'),
    getsockname: library.func('int getsockname(int, _Out_ void *, _Inout_ uint32_t *)'),
    bind: library.func('int bind(int, const void *, uint32_t)'),
    sendto: library.func('int64_t sendto(int, const void *, size_t, int, const void *, uint32_t)'),
  };
  return libc;
}

/** Makes something that opens a packet socket on the interface, and tells the socket; undefined where none is found. */
export function openedSocket<Made>(index: number, make: () => Made): { made: Made; socket: number | undefined } {
  const before = new Set(openFiles());
  const made = make();
  const socket = openFiles().find((fd) => !before.has(fd) && interfaceOf(fd) === index);
  return { made, socket };
}

/** False where the kernel refuses: the interface is gone. */
export function bindSocket(socket: number, index: number): boolean {
  const address = packetAddress(index, ETH_P_ALL);
  return loadLibc().bind(socket, address, address.length) === 0;
}

export function bindToLoopback(socket: number): boolean {
  return bindSocket(socket, loopbackIndex);
}

/** One frame through the loopback interface, where it means nothing to anyone. */
export function sendThroughLoopback(): void {
  const { socket, sendto } = loadLibc();
  if (sender < 0) sender = socket(AF_PACKET, SOCK_RAW_CLOEXEC, 0);
  const frame = Buffer.alloc(frameBytes);
  frame.writeUInt16BE(LOCAL_EXPERIMENT, 12);
  const address = packetAddress(loopbackIndex, LOCAL_EXPERIMENT);
  sendto(sender, frame, frame.length, 0, address, address.length);
}

function openFiles(): number[] {
  return readdirSync('/proc/self/fd').map(Number);
}

/** Of a packet socket the index of its interface; -1 of anything else. */
function interfaceOf(fd: number): number {
  const address = Buffer.alloc(addressBytes);
  if (loadLibc().getsockname(fd, address, [address.length]) !== 0) return -1;
  return address.readUInt16LE(0) === AF_PACKET ? address.readInt32LE(4) : -1;
}

/** struct sockaddr_ll */
function packetAddress(index: number, protocol: number): Buffer {
  const address = Buffer.alloc(addressBytes);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(protocol, 2);
  address.writeInt32LE(index, 4);
  return address;
}
