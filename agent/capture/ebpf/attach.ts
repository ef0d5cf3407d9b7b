// Where the programs stand: TCX at a pod's interface, clsact on kernels before 6.6, and packet taps. Links and sockets go
// when they are closed, and with this process; a clsact filter stays, so that the next start puts its own in its place.
import { requireCapabilities } from './capabilities.ts';
import {
  bpf,
  bpfCommands,
  checked,
  checkedSystem,
  closeFd,
  fixedMemory,
  libcBind,
  libcSetsockopt,
  libcSocket,
  tcAttach,
  tcDetach,
  tcHookCreate,
} from './kernel.ts';

export type Direction = 'from-pod' | 'to-pod';
export type Attachment = { way: 'tcx' | 'clsact' | 'tap'; detach(): void };

const attachTypes = { 'from-pod': 46, 'to-pod': 47 } as const; // BPF_TCX_INGRESS, BPF_TCX_EGRESS: seen from the host
const BPF_F_BEFORE = 1 << 3;
const BPF_F_AFTER = 1 << 4;

/** First where packets leave the pod, so that nobody drops what we have not seen; last where they enter it. */
export function attachTcx(program: number, interfaceIndex: number, direction: Direction): Attachment {
  const attributes = Buffer.alloc(64);
  attributes.writeUInt32LE(program, 0);
  attributes.writeUInt32LE(interfaceIndex, 4);
  attributes.writeUInt32LE(attachTypes[direction], 8);
  attributes.writeUInt32LE(direction === 'from-pod' ? BPF_F_BEFORE : BPF_F_AFTER, 12);
  const link = bpf(bpfCommands.linkCreate, attributes);
  return { way: 'tcx', detach: () => closeFd(link) };
}

const mostPrograms = 64;
let ids: ReturnType<typeof fixedMemory> | undefined;

/** The kernel's numbers of the programs at a TCX hook, in their order; every change of them has another revision. */
export function tcxPrograms(interfaceIndex: number, direction: Direction): { ids: number[]; revision: bigint } {
  ids ??= fixedMemory(mostPrograms * 4);
  const attributes = Buffer.alloc(64);
  attributes.writeUInt32LE(interfaceIndex, 0);
  attributes.writeUInt32LE(attachTypes[direction], 4);
  attributes.writeBigUInt64LE(ids.address, 16);
  attributes.writeUInt32LE(mostPrograms, 24);
  bpf(bpfCommands.progQuery, attributes);
  const count = Math.min(attributes.readUInt32LE(24), mostPrograms);
  const { view } = ids;
  const found = Array.from({ length: count }, (_, i) => view.readUInt32LE(i * 4));
  return { ids: found, revision: attributes.readBigUInt64LE(56) };
}

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_SOCKET = 1;
const SO_ATTACH_BPF = 50;
const ETH_P_ALL = 3;

/** The filter is on the socket before the socket is on the interface: nothing is ever copied to it. */
export function attachTap(program: number, interfaceIndex: number): Attachment {
  requireCapabilities(['NET_RAW']);
  const fd = checkedSystem('socket', libcSocket(AF_PACKET, SOCK_RAW_CLOEXEC, 0) as number);
  const filter = Buffer.alloc(4);
  filter.writeInt32LE(program);
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(ETH_P_ALL, 2);
  address.writeInt32LE(interfaceIndex, 4);
  try {
    checkedSystem('setsockopt', libcSetsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, filter, filter.length) as number);
    checkedSystem('bind', libcBind(fd, address, address.length) as number);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  return { way: 'tap', detach: () => closeFd(fd) };
}

const attachPoints = { 'from-pod': 1, 'to-pod': 2 } as const; // BPF_TC_INGRESS, BPF_TC_EGRESS
/** Ours is known by these: a filter of a crashed agent is replaced. First where packets leave the pod, last where they enter it. */
const handle = 0x5742;
const priorities = { 'from-pod': 1, 'to-pod': 0xffff } as const;
const BPF_TC_F_REPLACE = 1;
export const filterTowardsPod = { handle, priority: priorities['to-pod'] };

export function attachClsact(program: number, interfaceIndex: number, direction: Direction): Attachment {
  const hook = { ifindex: interfaceIndex, attach_point: attachPoints[direction] };
  const filter = { handle, priority: priorities[direction] };
  const EEXIST = 17;
  const created = tcHookCreate(hook);
  if (created !== -EEXIST) checked('bpf_tc_hook_create', created);
  checked('bpf_tc_attach', tcAttach(hook, { ...filter, prog_fd: program, flags: BPF_TC_F_REPLACE }));
  // The qdisc stays: somebody else may have put a filter there meanwhile.
  return { way: 'clsact', detach: () => tcDetach(hook, filter) };
}
