// rtnetlink(7): dumps of kernel objects, notifications of their changes, and the messages and attributes of both.
import { checkSystemCall, lastErrno } from './errno.ts';
import { bind, closeFd, recv, SOCK_RAW_CLOEXEC, SOL_SOCKET, send, setSocketOption, socket } from './libc.ts';

const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_REQUEST_DUMP = 0x301;
const MSG_DONTWAIT = 0x40;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_GET_STRICT_CHK = 12;
const headerBytes = 16; // struct nlmsghdr
const attributeHeaderBytes = 4; // struct rtattr
/** The kernel's largest datagram of a dump. */
const datagramBytes = 32_768;
const receiveTimeoutS = 1n;

export type NetlinkMessage = {
  type: number;
  /** The dumped objects changed during the dump, so it may be inconsistent (NLM_F_DUMP_INTR). */
  interrupted: boolean;
  sequence: number;
  /** The bytes after the header: a view of the received datagram. */
  payload: Buffer;
};

/** `value` is a view of the message. */
export type NetlinkAttribute = { type: number; value: Buffer };

/** Lists all objects of a kind in the network namespace of this process. */
export class NetlinkClient {
  readonly #fd: number;
  readonly #datagram = Buffer.alloc(datagramBytes);
  #sequence = 0;

  /** Throws a SystemError. */
  constructor() {
    this.#fd = openRouteSocket();
    const receiveTimeout = Buffer.alloc(16); // struct timeval
    receiveTimeout.writeBigInt64LE(receiveTimeoutS, 0);
    setSocketOption(this.#fd, SOL_SOCKET, SO_RCVTIMEO, receiveTimeout);
  }

  /** Makes the kernel apply the filter in a dump request. Returns false before Linux 4.20. */
  enableStrictCheck(): boolean {
    return setSocketOption(this.#fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, uint32(1)) === 0;
  }

  /**
   * Yields the replies to a request of `type`, in the kernel's order. Each payload is valid until the next one is read. The
   * dump ends at an error, or after a second without a reply.
   */
  *dump(type: number, payload: Buffer): Generator<NetlinkMessage> {
    this.#sequence += 1;
    const request = dumpRequest(type, this.#sequence, payload);
    send(this.#fd, request, request.length, 0);
    for (;;) {
      const length = recv(this.#fd, this.#datagram, this.#datagram.length, 0);
      if (length <= 0) return;
      for (const message of messagesOf(this.#datagram.subarray(0, length))) {
        if (message.sequence !== this.#sequence) continue; // of an earlier dump that was not read to its end
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) return;
        yield message;
      }
    }
  }

  close(): void {
    closeFd(this.#fd);
  }
}

/** Receives changes in the network namespace of this process. */
export class NetlinkMonitor {
  readonly #fd: number;
  readonly #datagram = Buffer.alloc(datagramBytes);

  /** `groups`: the multicast groups as bits. `bufferBytes`: the socket's receive buffer. Throws a SystemError. */
  constructor(groups: number, bufferBytes: number) {
    this.#fd = openRouteSocket();
    try {
      const address = Buffer.alloc(12); // struct sockaddr_nl
      address.writeUInt16LE(AF_NETLINK, 0);
      address.writeUInt32LE(groups, 8);
      checkSystemCall('bind', bind(this.#fd, address, address.length));
    } catch (error) {
      closeFd(this.#fd);
      throw error;
    }
    setSocketOption(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, uint32(bufferBytes));
  }

  /**
   * Calls `use` for each change since the last call; its payload is valid until `use` returns. `overrun`: the receive buffer
   * was full, and the kernel dropped some.
   */
  read(use: (message: NetlinkMessage) => void): 'complete' | 'overrun' {
    let result: 'complete' | 'overrun' = 'complete';
    for (;;) {
      const length = recv(this.#fd, this.#datagram, this.#datagram.length, MSG_DONTWAIT);
      if (length < 0 && lastErrno() === 'ENOBUFS') {
        result = 'overrun';
        continue;
      }
      if (length <= 0) return result;
      for (const message of messagesOf(this.#datagram.subarray(0, length))) use(message);
    }
  }

  close(): void {
    closeFd(this.#fd);
  }
}

/** Ends at the first message that is cut off. */
export function* messagesOf(datagram: Buffer): Generator<NetlinkMessage> {
  for (let at = 0; at + headerBytes <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < headerBytes || at + length > datagram.length) return;
    yield {
      type: datagram.readUInt16LE(at + 4),
      interrupted: (datagram.readUInt16LE(at + 6) & NLM_F_DUMP_INTR) !== 0,
      sequence: datagram.readUInt32LE(at + 8),
      payload: datagram.subarray(at + headerBytes, at + length),
    };
    at += aligned(length);
  }
}

/** Reads the attributes of a payload, after its fixed structure. Ends at the first attribute that is cut off. */
export function* attributesOf(attributes: Buffer): Generator<NetlinkAttribute> {
  for (let at = 0; at + attributeHeaderBytes <= attributes.length; ) {
    const length = attributes.readUInt16LE(at);
    if (length < attributeHeaderBytes || at + length > attributes.length) return;
    yield {
      type: attributes.readUInt16LE(at + 2),
      value: attributes.subarray(at + attributeHeaderBytes, at + length),
    };
    at += aligned(length);
  }
}

function openRouteSocket(): number {
  return checkSystemCall('socket', socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE));
}

function dumpRequest(type: number, sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(headerBytes + payload.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(NLM_F_REQUEST_DUMP, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, payload]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}
