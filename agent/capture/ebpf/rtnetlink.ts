// Qdiscs and filters of the network namespace, asked and followed over rtnetlink.
import {
  checkedSystem,
  closeFd,
  lastError,
  libcBind,
  libcRecv,
  libcSend,
  libcSetsockopt,
  libcSocket,
} from './kernel.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const RTNLGRP_TC = 1 << 3;
export const messageTypes = { newQdisc: 36, deletedQdisc: 37, newFilter: 44, deletedFilter: 45 } as const;
const RTM_GETQDISC = 38;
const RTM_GETTFILTER = 46;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST_DUMP = 0x301;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const receiveTimeoutS = 1n;
/** What a CNI that starts anew changes at some thousand interfaces between two looks. */
const followingBytes = 4 << 20;

/** TC_H_ROOT, and TC_H_MAKE(TC_H_CLSACT, …) of both directions. */
export const parents = { root: 0xffffffff, ingress: 0xfffffff2, egress: 0xfffffff3 } as const;

export type TcMessage = {
  type: number;
  /** -1 for a filter of a block that several interfaces share. */
  interfaceIndex: number;
  handle: number;
  parent: number;
  priority: number;
  chain: number;
  kind: string;
  /** A clsact whose filters towards the pod stand in a block that may be shared. */
  hasEgressBlock: boolean;
};

export class TcAsker {
  readonly #fd: number;
  readonly #chunk = Buffer.alloc(32_768);
  #sequence = 0;

  constructor() {
    this.#fd = openNetlink(0);
    const patience = Buffer.alloc(16);
    patience.writeBigInt64LE(receiveTimeoutS, 0);
    libcSetsockopt(this.#fd, SOL_SOCKET, SO_RCVTIMEO, patience, patience.length);
  }

  /** Of every interface: the kernel tells no fewer. */
  qdiscs(): TcMessage[] {
    return this.#ask(RTM_GETQDISC, 0, 0).filter(({ type }) => type === messageTypes.newQdisc);
  }

  /** In their order. */
  filters(interfaceIndex: number, parent: number): TcMessage[] {
    return this.#ask(RTM_GETTFILTER, interfaceIndex, parent).filter(({ type }) => type === messageTypes.newFilter);
  }

  close(): void {
    closeFd(this.#fd);
  }

  #ask(type: number, interfaceIndex: number, parent: number): TcMessage[] {
    const request = Buffer.alloc(36);
    this.#sequence += 1;
    request.writeUInt32LE(request.length, 0);
    request.writeUInt16LE(type, 4);
    request.writeUInt16LE(NLM_F_REQUEST_DUMP, 6);
    request.writeUInt32LE(this.#sequence, 8);
    request.writeInt32LE(interfaceIndex, 20);
    request.writeUInt32LE(parent, 28);
    libcSend(this.#fd, request, request.length, 0);
    const found: TcMessage[] = [];
    for (;;) {
      const length = Number(libcRecv(this.#fd, this.#chunk, this.#chunk.length, 0));
      if (length <= 0) return found;
      for (const message of messagesOf(this.#chunk.subarray(0, length), this.#sequence)) {
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) return found;
        found.push(message);
      }
    }
  }
}

export class TcFollower {
  readonly #fd: number;
  readonly #chunk = Buffer.alloc(32_768);

  constructor() {
    this.#fd = openNetlink(RTNLGRP_TC);
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(followingBytes);
    libcSetsockopt(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes, bytes.length);
  }

  /** Hands over what changed since it was read last. Returns whether the kernel had no room for some of it. */
  read(use: (message: TcMessage) => void): 'whole' | 'overrun' {
    let told: 'whole' | 'overrun' = 'whole';
    for (;;) {
      const length = Number(libcRecv(this.#fd, this.#chunk, this.#chunk.length, MSG_DONTWAIT));
      if (length < 0 && lastError() === 'ENOBUFS') {
        told = 'overrun';
        continue;
      }
      if (length <= 0) return told;
      for (const message of messagesOf(this.#chunk.subarray(0, length))) use(message);
    }
  }

  close(): void {
    closeFd(this.#fd);
  }
}

function openNetlink(groups: number): number {
  const fd = checkedSystem('socket', libcSocket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE) as number);
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK, 0);
  address.writeUInt32LE(groups, 8);
  checkedSystem('bind', libcBind(fd, address, address.length) as number);
  return fd;
}

/** struct nlmsghdr, then struct tcmsg, then attributes; those of another `sequence` are passed over. */
function* messagesOf(datagram: Buffer, sequence?: number): Generator<TcMessage> {
  for (let at = 0; at + 16 <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < 16 || at + length > datagram.length) return;
    const isWanted = sequence === undefined || sequence === datagram.readUInt32LE(at + 8);
    if (isWanted) yield messageOf(datagram.subarray(at, at + length));
    at += (length + 3) & ~3;
  }
}

function messageOf(message: Buffer): TcMessage {
  const whole = message.length >= 36;
  const read = {
    type: message.readUInt16LE(4),
    interfaceIndex: whole ? message.readInt32LE(20) : 0,
    handle: whole ? message.readUInt32LE(24) : 0,
    parent: whole ? message.readUInt32LE(28) : 0,
    priority: whole ? message.readUInt32LE(32) >>> 16 : 0,
    chain: 0,
    kind: '',
    hasEgressBlock: false,
  };
  const [TCA_KIND, TCA_CHAIN, TCA_EGRESS_BLOCK] = [1, 11, 14];
  for (let at = 36; at + 4 <= message.length; ) {
    const length = message.readUInt16LE(at);
    const type = message.readUInt16LE(at + 2);
    if (length < 4) break;
    if (type === TCA_KIND) read.kind = message.toString('latin1', at + 4, at + length - 1);
    if (type === TCA_CHAIN) read.chain = message.readUInt32LE(at + 4);
    if (type === TCA_EGRESS_BLOCK) read.hasEgressBlock = true;
    at += (length + 3) & ~3;
  }
  return read;
}
