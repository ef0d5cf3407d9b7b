// Attaches programs to a pod's interface: at TCX, at clsact on kernels before 6.6, or as a packet tap. TCX links and sockets
// end with this process. A clsact filter stays, and the next agent that watches the interface removes it.
import { bpf, bpfCommands } from '../../../kernel/bpf.ts';
import { checkLibbpfCall, checkSystemCall } from '../../../kernel/errno.ts';
import { tcAttach, tcDetach, tcHookCreate } from '../../../kernel/libbpf.ts';
import { closeFd, closeInBackground, SOL_SOCKET, setSocketOption } from '../../../kernel/libc.ts';
import { type FixedMemory, fixedMemory } from '../../../kernel/memory.ts';
import { bindPacketSocket, ETH_P_ALL, loopbackIndex, openPacketSocket } from '../../../kernel/packet-socket.ts';
import { clsactHook, ownFilter } from '../clsact.ts';
import type { PodDirection } from '../source.ts';
import { requireCapabilities } from './capabilities.ts';
import { noopProgram } from './noop-program.ts';

export type TcKind = 'tcx' | 'clsact';
export type Attachment = {
  kind: TcKind | 'tap';
  /** TCX and tap: waits until no CPU runs the program, about 10 ms. */
  detach(): void;
  /** Stops counting at once, without waiting. The program is detached in the background. */
  detachInBackground(): void;
};
/** Attached, but counts nothing until `activate`, which does not wait. Without `activate` it stays attached. */
export type PreparedAttachment = { activate(): Attachment };

const attachTypes = { 'from-pod': 46, 'to-pod': 47 } as const; // BPF_TCX_INGRESS, BPF_TCX_EGRESS: seen from the host
const BPF_F_BEFORE = 1 << 3;
const BPF_F_AFTER = 1 << 4;

/** From the pod it is attached first, to see packets before any program drops them; to the pod it is attached last. */
export function attachTcx(program: number, interfaceIndex: number, direction: PodDirection): Attachment {
  return tcxAttachment(createLink(program, interfaceIndex, direction));
}

/** A TCX hook accepts each program only once: detach the previous attachment before `activate`. */
export function prepareTcx(program: number, interfaceIndex: number, direction: PodDirection): PreparedAttachment {
  const link = createLink(noopProgram('attaching').fd, interfaceIndex, direction);
  return {
    activate() {
      try {
        updateLink(link, program);
      } catch (error) {
        closeFd(link);
        throw error;
      }
      return tcxAttachment(link);
    },
  };
}

function tcxAttachment(link: number): Attachment {
  return {
    kind: 'tcx',
    detach: () => closeFd(link),
    detachInBackground() {
      try {
        updateLink(link, noopProgram('detaching').fd);
      } catch {
        // The interface is gone, or the no-op program is already attached here.
        closeFd(link);
        return;
      }
      closeAfterOthers(link);
    },
  };
}

function createLink(program: number, interfaceIndex: number, direction: PodDirection): number {
  const attributes = Buffer.alloc(64);
  attributes.writeUInt32LE(program, 0);
  attributes.writeUInt32LE(interfaceIndex, 4);
  attributes.writeUInt32LE(attachTypes[direction], 8);
  attributes.writeUInt32LE(direction === 'from-pod' ? BPF_F_BEFORE : BPF_F_AFTER, 12);
  return bpf(bpfCommands.linkCreate, attributes);
}

function updateLink(link: number, program: number): void {
  const attributes = Buffer.alloc(64);
  attributes.writeUInt32LE(link, 0);
  attributes.writeUInt32LE(program, 4);
  bpf(bpfCommands.linkUpdate, attributes);
}

let closing: Promise<void> = Promise.resolve();

/** One at a time: the kernel makes such calls wait for each other, so more threads are not faster. */
function closeAfterOthers(fd: number): void {
  closing = closing.then(() => closeInBackground(fd));
}

/** Resolves when everything is detached. */
export function allDetached(): Promise<void> {
  return closing;
}

const maxPrograms = 64;
let ids: FixedMemory | undefined;

/** The ids of the programs at a TCX hook, in order. The revision changes with each change of the list. */
export function tcxPrograms(interfaceIndex: number, direction: PodDirection): { ids: number[]; revision: bigint } {
  ids ??= fixedMemory(maxPrograms * 4);
  const attributes = Buffer.alloc(64);
  attributes.writeUInt32LE(interfaceIndex, 0);
  attributes.writeUInt32LE(attachTypes[direction], 4);
  attributes.writeBigUInt64LE(ids.address, 16);
  attributes.writeUInt32LE(maxPrograms, 24);
  bpf(bpfCommands.progQuery, attributes);
  const count = Math.min(attributes.readUInt32LE(24), maxPrograms);
  const { view } = ids;
  const found = Array.from({ length: count }, (_, i) => view.readUInt32LE(i * 4));
  return { ids: found, revision: attributes.readBigUInt64LE(56) };
}

/** TCX from Linux 6.6 on. */
export function supportedTcKind(): TcKind {
  try {
    tcxPrograms(loopbackIndex, 'to-pod');
    return 'tcx';
  } catch {
    return 'clsact';
  }
}

const SO_ATTACH_FILTER = 26;
const SO_ATTACH_BPF = 50;

/** Attaches the filter before it binds the socket, so the socket never gets a packet. */
export function attachTap(program: number, interfaceIndex: number): Attachment {
  requireCapabilities(['NET_RAW']);
  const fd = checkSystemCall('socket', openPacketSocket());
  const filter = Buffer.alloc(4);
  filter.writeInt32LE(program);
  try {
    attachFilter(fd, SO_ATTACH_BPF, filter);
    checkSystemCall('bind', bindPacketSocket(fd, interfaceIndex, ETH_P_ALL));
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  return {
    kind: 'tap',
    detach: () => closeFd(fd),
    detachInBackground() {
      attachFilter(fd, SO_ATTACH_FILTER, dropAllFilter());
      closeAfterOthers(fd);
    },
  };
}

function attachFilter(fd: number, option: number, value: Buffer): void {
  checkSystemCall('setsockopt', setSocketOption(fd, SOL_SOCKET, option, value));
}

let dropAll: { program: Buffer; instruction: FixedMemory } | undefined;

/** struct sock_fprog of one instruction, `ret 0`. */
function dropAllFilter(): Buffer {
  if (dropAll === undefined) {
    const BPF_RET = 0x06;
    const instruction = fixedMemory(8);
    instruction.view.writeUInt32LE(BPF_RET, 0);
    instruction.view.writeUInt32LE(0, 4);
    const program = Buffer.alloc(16);
    program.writeUInt16LE(1, 0);
    program.writeBigUInt64LE(instruction.address, 8);
    dropAll = { program, instruction };
  }
  return dropAll.program;
}

const BPF_TC_F_REPLACE = 1;

export function attachClsact(program: number, interfaceIndex: number, direction: PodDirection): Attachment {
  const hook = clsactHook(interfaceIndex, direction);
  const filter = ownFilter(direction);
  const EEXIST = 17;
  const created = tcHookCreate(hook);
  if (created !== -EEXIST) checkLibbpfCall('bpf_tc_hook_create', created);
  checkLibbpfCall('bpf_tc_attach', tcAttach(hook, { ...filter, prog_fd: program, flags: BPF_TC_F_REPLACE }));
  // The qdisc stays: it may have filters of other programs.
  const detach = () => {
    tcDetach(hook, filter);
  };
  return { kind: 'clsact', detach, detachInBackground: detach };
}
