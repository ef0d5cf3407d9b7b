// Reads and monitors the qdiscs and filters of the network namespace over rtnetlink.
import { attributesOf, NetlinkClient, type NetlinkMessage, NetlinkMonitor } from '../../../kernel/netlink.ts';

const RTNLGRP_TC = 1 << 3;
export const messageTypes = { newQdisc: 36, deletedQdisc: 37, newFilter: 44, deletedFilter: 45 } as const;
const RTM_GETQDISC = 38;
const RTM_GETTFILTER = 46;
/** Large enough for the changes of a CNI restart on some thousand interfaces between two reads. */
const monitorBufferBytes = 4 << 20;

/** TC_H_ROOT, and TC_H_MAKE(TC_H_CLSACT, …) for both directions. */
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
  /** A clsact qdisc whose filters towards the pod are in a block that may be shared. */
  hasEgressBlock: boolean;
};

export class TcClient {
  readonly #netlink = new NetlinkClient();

  /** Those of every interface, because the kernel cannot list those of one. */
  qdiscs(): TcMessage[] {
    return this.#dump(RTM_GETQDISC, 0, 0).filter(({ type }) => type === messageTypes.newQdisc);
  }

  /** In their order. */
  filters(interfaceIndex: number, parent: number): TcMessage[] {
    return this.#dump(RTM_GETTFILTER, interfaceIndex, parent).filter(({ type }) => type === messageTypes.newFilter);
  }

  close(): void {
    this.#netlink.close();
  }

  #dump(type: number, interfaceIndex: number, parent: number): TcMessage[] {
    const request = Buffer.alloc(tcmsgBytes);
    request.writeInt32LE(interfaceIndex, 4);
    request.writeUInt32LE(parent, 12);
    return Array.from(this.#netlink.dump(type, request), tcMessageOf);
  }
}

export class TcMonitor {
  readonly #netlink = new NetlinkMonitor(RTNLGRP_TC, monitorBufferBytes);

  /** Calls `use` for each change since the last call. `overrun`: the buffer was full, and the kernel dropped some. */
  read(use: (message: TcMessage) => void): 'complete' | 'overrun' {
    return this.#netlink.read((message) => use(tcMessageOf(message)));
  }

  close(): void {
    this.#netlink.close();
  }
}

const tcmsgBytes = 20; // struct tcmsg

function tcMessageOf({ type, payload }: NetlinkMessage): TcMessage {
  const isTcmsg = payload.length >= tcmsgBytes;
  const message = {
    type,
    interfaceIndex: isTcmsg ? payload.readInt32LE(4) : 0,
    handle: isTcmsg ? payload.readUInt32LE(8) : 0,
    parent: isTcmsg ? payload.readUInt32LE(12) : 0,
    priority: isTcmsg ? payload.readUInt32LE(16) >>> 16 : 0,
    chain: 0,
    kind: '',
    hasEgressBlock: false,
  };
  const [TCA_KIND, TCA_CHAIN, TCA_EGRESS_BLOCK] = [1, 11, 14];
  for (const { type, value } of attributesOf(payload.subarray(tcmsgBytes))) {
    if (type === TCA_KIND) message.kind = value.toString('latin1', 0, value.length - 1);
    if (type === TCA_CHAIN) message.chain = value.readUInt32LE(0);
    if (type === TCA_EGRESS_BLOCK) message.hasEgressBlock = true;
  }
  return message;
}
