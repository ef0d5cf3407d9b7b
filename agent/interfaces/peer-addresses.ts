// The addresses inside a pod's network namespace, asked from outside by the namespace's id over rtnetlink: no pod
// namespace is entered, so CAP_NET_ADMIN is enough (IFA_TARGET_NETNSID, Linux 4.20).
import koffi from 'koffi';
import { type Address, addressFromBytes } from '../../model/address.ts';

const AF_NETLINK = 16;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const NLM_F_REQUEST_DUMP = 0x301;
const NLM_F_DUMP_INTR = 0x10;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_TARGET_NETNSID = 10;
const SCOPE_UNIVERSE = 0;
/** Without it the kernel passes over IFA_TARGET_NETNSID in a dump, and gives our own addresses (Linux 4.20). */
const STRICT_CHECK = { SOL_NETLINK: 270, NETLINK_GET_STRICT_CHK: 12 };
const RECEIVE_TIMEOUT = { SOL_SOCKET: 1, SO_RCVTIMEO: 20, seconds: 1 };

type Libc = {
  socket: (domain: number, type: number, protocol: number) => number;
  setsockopt: (fd: number, level: number, name: number, value: Buffer, length: number) => number;
  send: (fd: number, message: Buffer, length: number, flags: number) => number;
  recv: (fd: number, into: Buffer, length: number, flags: number) => number;
  close: (fd: number) => number;
};

let libc: Libc | undefined;

function loadLibc(): Libc {
  const library = koffi.load('libc.so.6');
  return {
    socket: library.func('int socket(int, int, int)'),
    setsockopt: library.func('int setsockopt(int, int, int, const void *, uint32_t)'),
    send: library.func('int64_t send(int, const void *, size_t, int)'),
    recv: library.func('int64_t recv(int, _Out_ void *, size_t, int)'),
    close: library.func('int close(int)'),
  };
}

/**
 * Global addresses of every interface in the namespace that this one knows by `netnsid` (`ip link` shows it as
 * link-netnsid), in no order; empty where the namespace is gone or holds none yet. Throws where netlink is refused.
 */
export function peerAddresses(netnsid: number): Address[] {
  libc ??= loadLibc();
  const fd = libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) throw new Error('no netlink socket: is AF_NETLINK allowed by the seccomp profile?');
  try {
    const patience = Buffer.alloc(16);
    patience.writeBigInt64LE(BigInt(RECEIVE_TIMEOUT.seconds), 0);
    libc.setsockopt(fd, RECEIVE_TIMEOUT.SOL_SOCKET, RECEIVE_TIMEOUT.SO_RCVTIMEO, patience, patience.length);
    const one = Buffer.from(Uint32Array.of(1).buffer);
    const strict = libc.setsockopt(fd, STRICT_CHECK.SOL_NETLINK, STRICT_CHECK.NETLINK_GET_STRICT_CHK, one, one.length);
    if (strict !== 0) return [];
    const request = addressRequest(netnsid);
    libc.send(fd, request, request.length, 0);
    return receiveDump(libc, fd);
  } finally {
    libc.close(fd);
  }
}

function addressRequest(netnsid: number): Buffer {
  const message = Buffer.alloc(32);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(RTM_GETADDR, 4);
  message.writeUInt16LE(NLM_F_REQUEST_DUMP, 6);
  message.writeUInt16LE(8, 24);
  message.writeUInt16LE(IFA_TARGET_NETNSID, 26);
  message.writeInt32LE(netnsid, 28);
  return message;
}

function receiveDump(libc: Libc, fd: number): Address[] {
  const found: Address[] = [];
  const chunk = Buffer.alloc(32768);
  for (;;) {
    const length = libc.recv(fd, chunk, chunk.length, 0);
    if (length <= 0) return found;
    if (readMessages(chunk.subarray(0, length), found) === 'done') return found;
  }
}

/** Adds the addresses of one datagram of the dump to `into`. */
export function readMessages(datagram: Buffer, into: Address[]): 'more' | 'done' {
  let at = 0;
  while (at + 16 <= datagram.length) {
    const length = datagram.readUInt32LE(at);
    const type = datagram.readUInt16LE(at + 4);
    if (length < 16 || at + length > datagram.length) return 'done';
    if (type === NLMSG_DONE || type === NLMSG_ERROR) return 'done';
    const interrupted = (datagram.readUInt16LE(at + 6) & NLM_F_DUMP_INTR) !== 0;
    if (type === RTM_NEWADDR && !interrupted) readAddress(datagram.subarray(at + 16, at + length), into);
    at += (length + 3) & ~3;
  }
  return 'more';
}

function readAddress(body: Buffer, into: Address[]): void {
  const family = body[0];
  const width = family === AF_INET ? 4 : family === AF_INET6 ? 16 : 0;
  if (width === 0 || body[3] !== SCOPE_UNIVERSE) return;
  let local: Buffer | undefined;
  for (let at = 8; at + 4 <= body.length; ) {
    const length = body.readUInt16LE(at);
    const type = body.readUInt16LE(at + 2);
    if (length < 4) break;
    const value = body.subarray(at + 4, at + length);
    // On a point-to-point link IFA_ADDRESS is the peer's and IFA_LOCAL our own; elsewhere they are the same.
    if (value.length === width && (type === IFA_LOCAL || (type === IFA_ADDRESS && local === undefined))) local = value;
    at += (length + 3) & ~3;
  }
  if (local !== undefined) into.push(addressFromBytes(local));
}
