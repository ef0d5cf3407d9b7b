// libbpf: objects, maps, programs and TC hooks. If libbpf.so.1 is missing, only its calls throw; the rest of the agent runs.
import koffi, { type LibraryHandle } from 'koffi';
import { checkLibbpfCall } from './errno.ts';

const libbpf = openLibbpf();

function openLibbpf(): Pick<LibraryHandle, 'func'> {
  try {
    return koffi.load('libbpf.so.1');
  } catch {
    const missing = () => {
      throw new Error('libbpf.so.1 is missing; install libbpf1');
    };
    return { func: () => missing } as unknown as LibraryHandle;
  }
}

/** An address in libbpf's memory, or null. */
type Pointer = bigint | null;

const setPrint: (print: null) => Pointer = libbpf.func('void *libbpf_set_print(void *)');

/** Stops libbpf from writing to stderr. */
export function silenceLibbpf(): void {
  setPrint(null);
}

export const objectOpen: (path: string, options: null) => Pointer = libbpf.func(
  'void *bpf_object__open_file(const char *, const void *)',
);
export const objectLoad: (object: Pointer) => number = libbpf.func('int bpf_object__load(void *)');
export const objectClose: (object: Pointer) => void = libbpf.func('void bpf_object__close(void *)');
export const findMap: (object: Pointer, name: string) => Pointer = libbpf.func(
  'void *bpf_object__find_map_by_name(void *, const char *)',
);
export const setMaxEntries: (map: Pointer, entries: number) => number = libbpf.func(
  'int bpf_map__set_max_entries(void *, uint32_t)',
);
export const mapFd: (map: Pointer) => number = libbpf.func('int bpf_map__fd(void *)');
export const findProgram: (object: Pointer, name: string) => Pointer = libbpf.func(
  'void *bpf_object__find_program_by_name(void *, const char *)',
);
export const setAutoload: (program: Pointer, autoload: boolean) => number = libbpf.func(
  'int bpf_program__set_autoload(void *, bool)',
);
export const programFd: (program: Pointer) => number = libbpf.func('int bpf_program__fd(void *)');

const lookup = libbpf.func('int bpf_map_lookup_elem(int, const void *, _Out_ void *)');
const remove = libbpf.func('int bpf_map_delete_elem(int, const void *)');
const update = libbpf.func('int bpf_map_update_elem(int, const void *, const void *, uint64_t)');
const lookupBatch = libbpf.func(
  'int bpf_map_lookup_batch(int, const void *, _Out_ void *, _Out_ void *, _Out_ void *, _Inout_ uint32_t *, const void *)',
);
const testRun = libbpf.func('int bpf_prog_test_run_opts(int, void *)');
const programInfo = libbpf.func('int bpf_obj_get_info_by_fd(int, _Out_ void *, _Inout_ uint32_t *)');

const key = Buffer.alloc(4);

/** Reads an element of a map whose keys have 32 bits. */
export function readElement(fd: number, index: number, into: Buffer): void {
  key.writeUInt32LE(index);
  checkLibbpfCall('bpf_map_lookup_elem', lookup(fd, key, into) as number);
}

export function writeElement(fd: number, index: number, value: Buffer): void {
  key.writeUInt32LE(index);
  checkLibbpfCall('bpf_map_update_elem', update(fd, key, value, 0) as number);
}

/** Returns a negative error number if it fails. */
export function deleteElement(fd: number, index: number): number {
  key.writeUInt32LE(index);
  return remove(fd, key) as number;
}

const [batchStart, batchEnd, batchCount] = [Buffer.alloc(4), Buffer.alloc(4), [0]];

/** Reads `count` elements of an array map, starting at `from`. `keys` needs 4 bytes for each. */
export function readElements(fd: number, from: number, count: number, keys: Buffer, into: Buffer): void {
  // The kernel begins after the given key, or at the first element if there is no key.
  batchStart.writeUInt32LE(from === 0 ? 0 : from - 1);
  batchCount[0] = count;
  const start = from === 0 ? null : batchStart;
  checkLibbpfCall('bpf_map_lookup_batch', lookupBatch(fd, start, batchEnd, keys, into, batchCount, null) as number);
}

const runOptions = koffi.struct('bpf_test_run_opts', {
  sz: 'size_t',
  data_in: 'const void *',
  data_out: 'void *',
  data_size_in: 'uint32_t',
  data_size_out: 'uint32_t',
  ctx_in: 'const void *',
  ctx_out: 'void *',
  ctx_size_in: 'uint32_t',
  ctx_size_out: 'uint32_t',
  retval: 'uint32_t',
  repeat: 'int',
  duration: 'uint32_t',
  flags: 'uint32_t',
  cpu: 'uint32_t',
  batch_size: 'uint32_t',
});

/** The returned function runs the program once, on an empty frame. */
export function prepareTestRun(fd: number): () => void {
  const frame = Buffer.alloc(64);
  const options: bigint = koffi.alloc(runOptions, 1);
  koffi.encode(options, runOptions, {
    sz: koffi.sizeof(runOptions),
    data_in: frame,
    data_out: null,
    data_size_in: frame.length,
    data_size_out: 0,
    ctx_in: null,
    ctx_out: null,
    ctx_size_in: 0,
    ctx_size_out: 0,
    retval: 0,
    repeat: 1,
    duration: 0,
    flags: 0,
    cpu: 0,
    batch_size: 0,
  });
  return () => {
    // Using the frame here keeps it alive as long as the pointer to it.
    if (frame.length > 0) checkLibbpfCall('bpf_prog_test_run_opts', testRun(fd, options) as number);
  };
}

/** The id by which BPF_PROG_QUERY lists the program. */
export function programId(fd: number): number {
  return infoOf(fd).readUInt32LE(4);
}

/** Total time and number of the program's runs. The kernel counts them if kernel.bpf_stats_enabled is 1. */
export function programCost(fd: number): { ns: number; runs: number } {
  const info = infoOf(fd);
  return { ns: Number(info.readBigUInt64LE(192)), runs: Number(info.readBigUInt64LE(200)) };
}

/** struct bpf_prog_info */
function infoOf(fd: number): Buffer {
  const info = Buffer.alloc(256);
  checkLibbpfCall('bpf_obj_get_info_by_fd', programInfo(fd, info, [info.length]) as number);
  return info;
}

const hookType = koffi.struct('bpf_tc_hook', {
  sz: 'size_t',
  ifindex: 'int',
  attach_point: 'int',
  parent: 'uint32_t',
});
const filterType = koffi.struct('bpf_tc_opts', {
  sz: 'size_t',
  prog_fd: 'int',
  flags: 'uint32_t',
  prog_id: 'uint32_t',
  handle: 'uint32_t',
  priority: 'uint32_t',
});
const hookCreate = libbpf.func('int bpf_tc_hook_create(bpf_tc_hook *)');
const attach = libbpf.func('int bpf_tc_attach(const bpf_tc_hook *, bpf_tc_opts *)');
const detach = libbpf.func('int bpf_tc_detach(const bpf_tc_hook *, const bpf_tc_opts *)');

/** `attach_point`: BPF_TC_INGRESS 1, BPF_TC_EGRESS 2. */
export type BpfTcHook = { ifindex: number; attach_point: number };
export type BpfTcFilter = { handle: number; priority: number };

export function tcHookCreate(hook: BpfTcHook): number {
  return hookCreate(sizedHook(hook)) as number;
}

export function tcAttach(hook: BpfTcHook, filter: BpfTcFilter & { prog_fd: number; flags: number }): number {
  return attach(sizedHook(hook), { sz: koffi.sizeof(filterType), prog_id: 0, ...filter }) as number;
}

export function tcDetach(hook: BpfTcHook, filter: BpfTcFilter): number {
  return detach(sizedHook(hook), {
    sz: koffi.sizeof(filterType),
    prog_fd: 0,
    flags: 0,
    prog_id: 0,
    ...filter,
  }) as number;
}

function sizedHook(hook: BpfTcHook): object {
  return { sz: koffi.sizeof(hookType), parent: 0, ...hook };
}
