// Loads the compiled program into the kernel with tables of the configured size, and with conntrack lookups if the kernel
// allows them.
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
import { dnsRingBytes, interfaceSlots, interfaceTable, ringBytes, row, slotBytes, slots } from './layout.ts';

export type ProgramName = 'from_pod' | 'to_pod' | 'tap_both' | 'tap_to_pod' | 'sample_clocks' | 'empty' | 'empty_tap';
export type MapName =
  | 'control'
  | 'used'
  | 'rows'
  | 'buckets'
  | 'events'
  | 'dns_events'
  | 'dns_shares'
  | 'counters'
  | 'clock_samples'
  | 'interfaces'
  | 'interface_tables'
  | 'link_addresses';

export type LoadedProgram = {
  /** Whether the program looks up connections in conntrack. */
  conntrack: { available: true } | { available: false; reason: string };
  /** Of each table. The first `sharedRowCount` are for all interfaces. */
  rowCount: number;
  sharedRowCount: number;
  bucketCount: number;
  programFd(name: ProgramName): number;
  mapFd(name: MapName): number;
  close(): void;
};

/** With eight slots, a bucket is then rarely full. */
const rowsPerBucket = 3;
/** Rows that only one interface can use each: this part of the others, in addition. */
const reservePart = 8;
/** `bucket_mask >> 2` in flows.bpf.c. */
const bucketsPerConntrackSet = 4;
const objects = {
  withConntrack: new URL('flows-conntrack.bpf.o', import.meta.url).pathname,
  plain: new URL('flows.bpf.o', import.meta.url).pathname,
};

/** The programs that each source loads; the benchmark compares with empty ones. */
const requiredPrograms: Record<'ebpf' | 'tap' | 'bench', readonly ProgramName[]> = {
  ebpf: ['from_pod', 'to_pod', 'tap_to_pod', 'sample_clocks'],
  tap: ['tap_both', 'sample_clocks'],
  bench: ['from_pod', 'to_pod', 'tap_both', 'tap_to_pod', 'sample_clocks', 'empty', 'empty_tap'],
};
const allPrograms = requiredPrograms.bench;
const kernelTooOld = 'the program needs Linux 5.12 or later';
const noConntrackLookup =
  'conntrack lookups need Linux 6.1 or later, and CAP_SYS_ADMIN if conntrack is a module (nf_conntrack)';

/** The verifier requires PERFMON for arithmetic on packet data. NET_ADMIN is for TC, NET_RAW for packet taps. */
const capabilities: Record<keyof typeof requiredPrograms, readonly Capability[]> = {
  // It needs NET_RAW only on interfaces where other programs filter, so it starts without.
  ebpf: ['BPF', 'NET_ADMIN', 'PERFMON'],
  tap: ['BPF', 'NET_RAW', 'PERFMON'],
  bench: ['BPF', 'NET_ADMIN', 'NET_RAW', 'PERFMON'],
};

/** Throws with the reason if the kernel refuses. `maxConnections` is for one interval. */
export function loadProgram(
  use: keyof typeof requiredPrograms,
  maxConnections: number,
  objectFiles = objects,
): LoadedProgram {
  requireCapabilities(capabilities[use]);
  silenceLibbpf();
  if (use === 'tap')
    return load(objectFiles.plain, use, maxConnections, {
      available: false,
      reason: 'packet taps cannot look up conntrack',
    });
  try {
    return load(objectFiles.withConntrack, use, maxConnections, { available: true });
  } catch (error) {
    return load(objectFiles.plain, use, maxConnections, { available: false, reason: (error as Error).message });
  }
}

function load(
  path: string,
  use: keyof typeof requiredPrograms,
  maxConnections: number,
  conntrack: LoadedProgram['conntrack'],
): LoadedProgram {
  if (!existsSync(path)) throw new Error('eBPF program is not compiled; run make build');
  const object = objectOpen(path, null);
  if (object === null) throw new Error(`cannot read eBPF program ${path}`);
  const buckets = bucketsFor(maxConnections);
  try {
    for (const name of allPrograms) setAutoload(findProgram(object, name), requiredPrograms[use].includes(name));
    setSize(object, 'rows', rowsFor(maxConnections) * 2);
    setSize(object, 'buckets', buckets * 2);
    if (conntrack.available) setSize(object, 'conntrack_cache', buckets / bucketsPerConntrackSet);
    const result = objectLoad(object);
    if (result !== 0) throw new Error(reasonOf(-result, conntrack.available ? noConntrackLookup : kernelTooOld));
  } catch (error) {
    objectClose(object);
    throw error;
  }
  return {
    conntrack,
    rowCount: rowsFor(maxConnections),
    sharedRowCount: maxConnections,
    bucketCount: buckets,
    programFd: (name) => programFd(findProgram(object, name)),
    mapFd: (name) => mapFd(findMap(object, name)),
    close() {
      objectClose(object);
    },
  };
}

function setSize(object: bigint, map: MapName | 'conntrack_cache', entries: number): void {
  checkLibbpfCall(`bpf_map__set_max_entries ${map}`, setMaxEntries(findMap(object, map), entries));
}

/** libbpf returns EINVAL both if the verifier refuses and if a kernel function is missing: `likelyCause` explains it. */
function reasonOf(errno: number, likelyCause: string): string {
  const { EPERM, EACCES, EINVAL, ENOMEM } = constants.errno;
  const name = errnoName(errno);
  switch (errno) {
    case EPERM:
      return `bpf(2) is refused (${name}) although no capability is missing: check seccomp and user namespaces`;
    case EACCES:
    case EINVAL:
      return `the kernel refuses the eBPF program (${name}): ${likelyCause}`;
    case ENOMEM:
      return `not enough memory for the eBPF tables (${name}): lower capture.maxConnections`;
    default:
      return `the kernel refuses the eBPF program (${name})`;
  }
}

function rowsFor(maxConnections: number): number {
  return maxConnections + Math.ceil(maxConnections / reservePart);
}

/** A power of two. */
function bucketsFor(maxConnections: number): number {
  let buckets = slots;
  while (buckets < rowsFor(maxConnections) / rowsPerBucket) buckets *= 2;
  return buckets;
}

/** Kernel memory of the maps: two tables, the conntrack cache and the rings. The rest is less than 1 MiB. */
export function mapBytes(maxConnections: number): number {
  const buckets = bucketsFor(maxConnections);
  return (
    2 * (rowsFor(maxConnections) * row.bytes + interfaceSlots * interfaceTable.bytes) +
    (2 * buckets + buckets / bucketsPerConntrackSet) * slots * slotBytes +
    ringBytes +
    dnsRingBytes
  );
}
