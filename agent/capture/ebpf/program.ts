// The compiled program in the kernel: loaded with tables of the wanted size, with conntrack where the kernel lets programs
// ask it.
import { existsSync } from 'node:fs';
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
  setPrinter,
} from './kernel.ts';
import { slots } from './layout.ts';

export type ProgramName = 'from_pod' | 'to_pod' | 'tap_both' | 'tap_to_pod' | 'tell_moment' | 'empty' | 'empty_tap';
export type MapName = 'control' | 'used' | 'rows' | 'buckets' | 'events' | 'counters' | 'moments';

export type LoadedProgram = {
  /** Whether programs ask conntrack themselves; else why not. */
  conntrack: { asked: true } | { asked: false; why: string };
  rows: number;
  buckets: number;
  program(name: ProgramName): number;
  map(name: MapName): number;
  close(): void;
};

/** Rows for each bucket: with eight slots a bucket rarely has none left. */
const rowsPerBucket = 3;
const objects = {
  withConntrack: new URL('flows-conntrack.bpf.o', import.meta.url).pathname,
  plain: new URL('flows.bpf.o', import.meta.url).pathname,
};

/** What each source needs in the kernel; the benchmark measures beside programs that do nothing. */
const needed: Record<'ebpf' | 'tap' | 'bench', readonly ProgramName[]> = {
  ebpf: ['from_pod', 'to_pod', 'tap_to_pod', 'tell_moment'],
  tap: ['tap_both', 'tell_moment'],
  bench: ['from_pod', 'to_pod', 'tap_both', 'tap_to_pod', 'tell_moment', 'empty', 'empty_tap'],
};
const all = needed.bench;

/** Throws with the reason where the kernel refuses. `most`: connections of one interval. */
export function loadProgram(use: keyof typeof needed, most: number): LoadedProgram {
  setPrinter(null); // libbpf writes to stderr by itself
  if (use === 'tap') return load(objects.plain, use, most, { asked: false, why: 'packet taps cannot ask it' });
  try {
    return load(objects.withConntrack, use, most, { asked: true });
  } catch (error) {
    return load(objects.plain, use, most, { asked: false, why: (error as Error).message });
  }
}

function load(
  path: string,
  use: keyof typeof needed,
  most: number,
  conntrack: LoadedProgram['conntrack'],
): LoadedProgram {
  if (!existsSync(path)) throw new Error('the program is not compiled: run make build');
  const object: unknown = objectOpen(path, null);
  if (object === null) throw new Error('bpf_object__open_file: the program cannot be read');
  const buckets = powerOfTwo(Math.ceil(most / rowsPerBucket));
  try {
    for (const name of all) setAutoload(findProgram(object, name), needed[use].includes(name));
    sized(object, 'rows', most * 2);
    sized(object, 'buckets', buckets * 2);
    const result = objectLoad(object) as number;
    if (result !== 0) throw new Error(reasonOf(-result));
  } catch (error) {
    objectClose(object);
    throw error;
  }
  return {
    conntrack,
    rows: most,
    buckets,
    program: (name) => programFd(findProgram(object, name)) as number,
    map: (name) => mapFd(findMap(object, name)) as number,
    close() {
      objectClose(object);
    },
  };
}

function sized(object: unknown, map: MapName, entries: number): void {
  const result = setMaxEntries(findMap(object, map), entries) as number;
  if (result !== 0) throw new Error(`bpf_map__set_max_entries ${map}: ${reasonOf(-result)}`);
}

function reasonOf(errno: number): string {
  switch (errno) {
    case 1:
    case 13:
      return 'the kernel does not let this process load programs (needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)';
    case 12:
      return 'no memory for its tables';
    default:
      return `the kernel refuses the program (errno ${errno})`;
  }
}

function powerOfTwo(least: number): number {
  let size = slots;
  while (size < least) size *= 2;
  return size;
}
