// The compiled program in the kernel: loaded with tables of the wanted size, with conntrack where the kernel lets programs
// ask it.
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { checkLibbpfCall, errnoName } from '../../../kernel/errno.ts';
import {
  findMap,
  findProgram,
  mapFd,
  objectClose,
  objectLoad,
  objectOpen,
  programFd,
  setAutoload,
  setMaxEntries,
  silenceLibbpf,
} from '../../../kernel/libbpf.ts';
import { type Capability, requireCapabilities } from './capabilities.ts';
import { ringBytes, row, slotBytes, slots } from './layout.ts';

export type ProgramName = 'from_pod' | 'to_pod' | 'tap_both' | 'tap_to_pod' | 'tell_moment' | 'empty' | 'empty_tap';
export type MapName = 'control' | 'used' | 'rows' | 'buckets' | 'events' | 'counters' | 'moments';

export type LoadedProgram = {
  /** Whether programs ask conntrack themselves; else why not. */
  conntrack: { available: true } | { available: false; why: string };
  rowCount: number;
  bucketCount: number;
  programFd(name: ProgramName): number;
  mapFd(name: MapName): number;
  close(): void;
};

/** Rows for each bucket: with eight slots a bucket rarely has none left. */
const rowsPerBucket = 3;
/** `bucket_mask >> 2` in flows.bpf.c. */
const bucketsPerConntrackSet = 4;
const objects = {
  withConntrack: new URL('flows-conntrack.bpf.o', import.meta.url).pathname,
  plain: new URL('flows.bpf.o', import.meta.url).pathname,
};

/** What each source needs in the kernel; the benchmark measures beside programs that do nothing. */
const requiredPrograms: Record<'ebpf' | 'tap' | 'bench', readonly ProgramName[]> = {
  ebpf: ['from_pod', 'to_pod', 'tap_to_pod', 'tell_moment'],
  tap: ['tap_both', 'tell_moment'],
  bench: ['from_pod', 'to_pod', 'tap_both', 'tap_to_pod', 'tell_moment', 'empty', 'empty_tap'],
};
const allPrograms = requiredPrograms.bench;
const kernelTooOld = 'before Linux 5.12 it lacks what the program needs';
const noConntrackLookup =
  'it lets programs ask conntrack from Linux 6.1 on, and where that is a module (nf_conntrack), only those of CAP_SYS_ADMIN';

/** Without PERFMON the verifier lets no program compare what it read. NET_ADMIN is for TC, NET_RAW for packet taps. */
const capabilities: Record<keyof typeof requiredPrograms, readonly Capability[]> = {
  // It has a packet tap too, but only where somebody else filters, and it sees much without.
  ebpf: ['BPF', 'NET_ADMIN', 'PERFMON'],
  tap: ['BPF', 'NET_RAW', 'PERFMON'],
  bench: ['BPF', 'NET_ADMIN', 'NET_RAW', 'PERFMON'],
};

/** Throws with the reason where the kernel refuses. `most`: connections of one interval. `from`: the compiled programs. */
export function loadProgram(
  use: keyof typeof requiredPrograms,
  maxConnections: number,
  objectFiles = objects,
): LoadedProgram {
  requireCapabilities(capabilities[use]);
  silenceLibbpf();
  if (use === 'tap')
    return load(objectFiles.plain, use, maxConnections, { available: false, why: 'packet taps cannot ask it' });
  try {
    return load(objectFiles.withConntrack, use, maxConnections, { available: true });
  } catch (error) {
    return load(objectFiles.plain, use, maxConnections, { available: false, why: (error as Error).message });
  }
}

function load(
  path: string,
  use: keyof typeof requiredPrograms,
  maxConnections: number,
  conntrack: LoadedProgram['conntrack'],
): LoadedProgram {
  if (!existsSync(path)) throw new Error('the program is not compiled: run make build');
  const object = objectOpen(path, null);
  if (object === null) throw new Error('bpf_object__open_file: the program cannot be read');
  const buckets = bucketsFor(maxConnections);
  try {
    for (const name of allPrograms) setAutoload(findProgram(object, name), requiredPrograms[use].includes(name));
    setSize(object, 'rows', maxConnections * 2);
    setSize(object, 'buckets', buckets * 2);
    if (conntrack.available) setSize(object, 'told', buckets / bucketsPerConntrackSet);
    const result = objectLoad(object);
    if (result !== 0) throw new Error(reasonOf(-result, conntrack.available ? noConntrackLookup : kernelTooOld));
  } catch (error) {
    objectClose(object);
    throw error;
  }
  return {
    conntrack,
    rowCount: maxConnections,
    bucketCount: buckets,
    programFd: (name) => programFd(findProgram(object, name)),
    mapFd: (name) => mapFd(findMap(object, name)),
    close() {
      objectClose(object);
    },
  };
}

function setSize(object: bigint, map: MapName | 'told', entries: number): void {
  checkLibbpfCall(`bpf_map__set_max_entries ${map}`, setMaxEntries(findMap(object, map), entries));
}

/** `lacks`: what is likely where the verifier refuses, or a function is not there: libbpf says EINVAL of both. */
function reasonOf(errno: number, likelyCause: string): string {
  const { EPERM, EACCES, EINVAL, ENOMEM } = constants.errno;
  const name = errnoName(errno);
  switch (errno) {
    case EPERM:
      return `bpf(2) is refused (${name}), though no capability is missing: by seccomp, or in a user namespace`;
    case EACCES:
    case EINVAL:
      return `the kernel's verifier refuses the program (${name}): ${likelyCause}`;
    case ENOMEM:
      return `no memory for its tables (${name}): capture.maxConnections says how large they are`;
    default:
      return `the kernel refuses the program (${name})`;
  }
}

/** A power of two. */
function bucketsFor(maxConnections: number): number {
  let buckets = slots;
  while (buckets < maxConnections / rowsPerBucket) buckets *= 2;
  return buckets;
}

/** What the maps take of the kernel's memory, less than a MiB aside: two tables, what is told of conntrack, and the ring. */
export function mapBytes(maxConnections: number): number {
  const buckets = bucketsFor(maxConnections);
  return (
    2 * maxConnections * row.bytes + (2 * buckets + buckets / bucketsPerConntrackSet) * slots * slotBytes + ringBytes
  );
}
