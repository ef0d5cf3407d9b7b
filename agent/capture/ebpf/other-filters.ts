// Who else filters packets towards a pod: TCX programs and clsact filters besides ours. Any of them may drop what ours has
// counted, or end the chain before ours runs. Filters of clsact are asked and followed over rtnetlink.
import { tcxPrograms } from './attach.ts';
import { checkedSystem, closeFd, libcBind, libcRecv, libcSend, libcSetsockopt, libcSocket } from './kernel.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const RTNLGRP_TC = 1 << 3;
const RTM_DELQDISC = 37;
const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;
const RTM_GETTFILTER = 46;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST_DUMP = 0x301;
const MSG_DONTWAIT = 0x40;
const RECEIVE_TIMEOUT = { SOL_SOCKET: 1, SO_RCVTIMEO: 20, seconds: 1n };
/** TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS) */
const egressParent = 0xfffffff3;

export class OtherFilters {
  readonly #own: number;
  readonly #ownFilter: { handle: number; priority: number };
  readonly #asking: number;
  readonly #following: number;
  readonly #chunk = Buffer.alloc(32_768);
  /** By interface, as last asked. */
  readonly #filters = new Map<number, boolean>();
  readonly #revisions = new Map<number, bigint>();
  readonly #changed = new Set<number>();

  /** `own`: the kernel's number of our TCX program; `ownFilter` is ours at clsact. */
  constructor(own: number, ownFilter: { handle: number; priority: number }) {
    this.#own = own;
    this.#ownFilter = ownFilter;
    this.#asking = openNetlink(0);
    this.#following = openNetlink(RTNLGRP_TC);
    const patience = Buffer.alloc(16);
    patience.writeBigInt64LE(RECEIVE_TIMEOUT.seconds, 0);
    libcSetsockopt(this.#asking, RECEIVE_TIMEOUT.SOL_SOCKET, RECEIVE_TIMEOUT.SO_RCVTIMEO, patience, patience.length);
  }

  /** Whether anyone else stands where packets enter the pod. */
  at(interfaceIndex: number): boolean {
    return this.#hasPrograms(interfaceIndex) || this.#hasFilters(interfaceIndex);
  }

  /**
   * Whether anyone came or went since this was asked last, or ours did: who is there now may be as it was before, and
   * still somebody dropped what ours has counted.
   */
  changed(interfaceIndex: number): boolean {
    const revision = revisionAt(interfaceIndex);
    const before = this.#revisions.get(interfaceIndex);
    this.#revisions.set(interfaceIndex, revision);
    return this.#changed.delete(interfaceIndex) || (before !== undefined && before !== revision);
  }

  /** Forgets what was asked of filters that changed since. */
  refresh(): void {
    for (;;) {
      const length = Number(libcRecv(this.#following, this.#chunk, this.#chunk.length, MSG_DONTWAIT));
      if (length <= 0) return;
      for (const message of messagesOf(this.#chunk.subarray(0, length))) {
        this.#filters.delete(message.interfaceIndex);
        if (this.#isOthers(message)) this.#changed.add(message.interfaceIndex);
      }
    }
  }

  forget(interfaceIndex: number): void {
    this.#filters.delete(interfaceIndex);
    this.#revisions.delete(interfaceIndex);
    this.#changed.delete(interfaceIndex);
  }

  close(): void {
    closeFd(this.#asking);
    closeFd(this.#following);
  }

  /** Kernels without TCX have no such programs. */
  #hasPrograms(interfaceIndex: number): boolean {
    try {
      return tcxPrograms(interfaceIndex, 'to-pod').ids.some((id) => id !== this.#own);
    } catch {
      return false;
    }
  }

  #hasFilters(interfaceIndex: number): boolean {
    const known = this.#filters.get(interfaceIndex);
    if (known !== undefined) return known;
    const found = this.#ask(interfaceIndex);
    this.#filters.set(interfaceIndex, found);
    return found;
  }

  #ask(interfaceIndex: number): boolean {
    const request = Buffer.alloc(36);
    request.writeUInt32LE(request.length, 0);
    request.writeUInt16LE(RTM_GETTFILTER, 4);
    request.writeUInt16LE(NLM_F_REQUEST_DUMP, 6);
    request.writeInt32LE(interfaceIndex, 20);
    request.writeUInt32LE(egressParent, 28);
    libcSend(this.#asking, request, request.length, 0);
    let found = false;
    for (;;) {
      const length = Number(libcRecv(this.#asking, this.#chunk, this.#chunk.length, 0));
      if (length <= 0) return found;
      for (const message of messagesOf(this.#chunk.subarray(0, length))) {
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) return found;
        if (message.type === RTM_NEWTFILTER && !this.#isOwn(message)) found = true;
      }
    }
  }

  /** A filter towards the pod that came or went, or all of them at once. */
  #isOthers(message: FilterMessage): boolean {
    if (message.type === RTM_DELQDISC) return true;
    if (message.type !== RTM_NEWTFILTER && message.type !== RTM_DELTFILTER) return false;
    return message.parent === egressParent && !this.#isOwn(message);
  }

  #isOwn({ handle, priority }: FilterMessage): boolean {
    return priority === this.#ownFilter.priority && (handle === 0 || handle === this.#ownFilter.handle);
  }
}

/** 0 on kernels without TCX. */
function revisionAt(interfaceIndex: number): bigint {
  try {
    return tcxPrograms(interfaceIndex, 'to-pod').revision;
  } catch {
    return 0n;
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

type FilterMessage = { type: number; interfaceIndex: number; handle: number; parent: number; priority: number };

/** struct nlmsghdr, then struct tcmsg. */
export function* messagesOf(datagram: Buffer): Generator<FilterMessage> {
  for (let at = 0; at + 16 <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < 16 || at + length > datagram.length) return;
    const whole = length >= 36;
    yield {
      type: datagram.readUInt16LE(at + 4),
      interfaceIndex: whole ? datagram.readInt32LE(at + 20) : 0,
      handle: whole ? datagram.readUInt32LE(at + 24) : 0,
      parent: whole ? datagram.readUInt32LE(at + 28) : 0,
      priority: whole ? datagram.readUInt32LE(at + 32) >>> 16 : 0,
    };
    at += (length + 3) & ~3;
  }
}
