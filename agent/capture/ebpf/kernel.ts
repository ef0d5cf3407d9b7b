// The calls of the system and of libbpf that load the program and read its maps, by koffi. Where one fails, the errno's
// name is thrown.
import koffi, { type LibraryHandle } from 'koffi';
import { errnoName } from './errno.ts';

const libc = koffi.load('libc.so.6');
const libbpf = openLibbpf();

/** Where it is not installed, what needs it throws, so that pcap still captures. */
function openLibbpf(): Pick<LibraryHandle, 'func'> {
  try {
    return koffi.load('libbpf.so.1');
  } catch {
    const absent = () => {
      throw new Error('libbpf.so.1 is not here: install libbpf1');
    };
    return { func: () => absent } as unknown as LibraryHandle;
  }
}

const syscall = libc.func('int64_t syscall(int64_t, int64_t, void *, uint32_t)');
const calls = {
  x64: { bpf: 321, membarrier: 324 },
  arm64: { bpf: 280, membarrier: 283 },
}[process.arch as 'x64' | 'arm64'];

export const bpfCommands = { progLoad: 5, progQuery: 16, linkCreate: 28, linkUpdate: 29 } as const;

/** bpf(2) itself, for what Debian's libbpf 1.1 does not know. */
export function bpf(command: number, attributes: Buffer): number {
  return checkedSystem('bpf', Number(syscall(calls.bpf, command, attributes, attributes.length)));
}

/** Resolves when every program that runs now has ended (synchronize_rcu). */
export function programsEnded(): Promise<void> {
  const MEMBARRIER_CMD_GLOBAL = 1;
  return new Promise((resolve, reject) => {
    syscall.async(calls.membarrier, MEMBARRIER_CMD_GLOBAL, null, 0, (error: unknown, result: number | bigint) => {
      if (error !== null || Number(result) !== 0) reject(new Error('membarrier(2) is refused'));
      else resolve();
    });
  });
}

export const setPrinter = libbpf.func('void *libbpf_set_print(void *)');
export const objectOpen = libbpf.func('void *bpf_object__open_file(const char *, const void *)');
export const objectLoad = libbpf.func('int bpf_object__load(void *)');
export const objectClose = libbpf.func('void bpf_object__close(void *)');
export const findMap = libbpf.func('void *bpf_object__find_map_by_name(void *, const char *)');
export const setMaxEntries = libbpf.func('int bpf_map__set_max_entries(void *, uint32_t)');
export const mapFd = libbpf.func('int bpf_map__fd(void *)');
export const findProgram = libbpf.func('void *bpf_object__find_program_by_name(void *, const char *)');
export const setAutoload = libbpf.func('int bpf_program__set_autoload(void *, bool)');
export const programFd = libbpf.func('int bpf_program__fd(void *)');

const lookup = libbpf.func('int bpf_map_lookup_elem(int, const void *, _Out_ void *)');
const update = libbpf.func('int bpf_map_update_elem(int, const void *, const void *, uint64_t)');
const lookupBatch = libbpf.func(
  'int bpf_map_lookup_batch(int, const void *, _Out_ void *, _Out_ void *, _Out_ void *, _Inout_ uint32_t *, const void *)',
);
const testRun = libbpf.func('int bpf_prog_test_run_opts(int, void *)');
const programInfo = libbpf.func('int bpf_obj_get_info_by_fd(int, _Out_ void *, _Inout_ uint32_t *)');

const key = Buffer.alloc(4);

/** Reads the array's element into `into`. */
export function readElement(fd: number, index: number, into: Buffer): void {
  key.writeUInt32LE(index);
  checked('bpf_map_lookup_elem', lookup(fd, key, into) as number);
}

export function writeElement(fd: number, index: number, value: Buffer): void {
  key.writeUInt32LE(index);
  checked('bpf_map_update_elem', update(fd, key, value, 0) as number);
}

const [batchStart, batchEnd, batchCount] = [Buffer.alloc(4), Buffer.alloc(4), [0]];

/** Reads `count` elements of an array from `from` on; `keys` has room for 4 bytes each. */
export function readElements(fd: number, from: number, count: number, keys: Buffer, into: Buffer): void {
  // The batch begins behind the key that is given, or at the first.
  batchStart.writeUInt32LE(from === 0 ? 0 : from - 1);
  batchCount[0] = count;
  const start = from === 0 ? null : batchStart;
  checked('bpf_map_lookup_batch', lookupBatch(fd, start, batchEnd, keys, into, batchCount, null) as number);
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

/** Calls back to run the program once, on a frame that nobody sent. */
export function runner(fd: number): () => void {
  const frame = Buffer.alloc(64);
  const options: unknown = koffi.alloc(runOptions, 1);
  koffi.encode(options as never, runOptions, {
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
    // The frame must live as long as the pointer to it.
    if (frame.length > 0) checked('bpf_prog_test_run_opts', testRun(fd, options) as number);
  };
}

/** The kernel's number of a program, as BPF_PROG_QUERY tells those of a hook. */
export function programId(fd: number): number {
  const info = Buffer.alloc(256);
  checked('bpf_obj_get_info_by_fd', programInfo(fd, info, [info.length]) as number);
  return info.readUInt32LE(4);
}

/** What the program's runs cost so far; counted where kernel.bpf_stats_enabled is 1. */
export function programCost(fd: number): { ns: number; runs: number } {
  const info = Buffer.alloc(256);
  checked('bpf_obj_get_info_by_fd', programInfo(fd, info, [info.length]) as number);
  return { ns: Number(info.readBigUInt64LE(192)), runs: Number(info.readBigUInt64LE(200)) };
}

/** libbpf returns a negative errno: -1 is EPERM. */
export function checked(call: string, result: number): number {
  if (result >= 0) return result;
  throw new Error(`${call}: ${errnoName(-result)}`);
}

/** The system returns -1, and keeps the errno until its next call: to be asked at once, with the call as argument. */
export function checkedSystem(call: string, result: number): number {
  if (result >= 0) return result;
  throw new Error(`${call}: ${errnoName(koffi.errno())}`);
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

export type TcHook = { ifindex: number; attach_point: number };
export type TcFilter = { handle: number; priority: number };

export function tcHookCreate(hook: TcHook): number {
  return hookCreate(whole(hook)) as number;
}

export function tcAttach(hook: TcHook, filter: TcFilter & { prog_fd: number; flags: number }): number {
  return attach(whole(hook), { sz: koffi.sizeof(filterType), prog_id: 0, ...filter }) as number;
}

export function tcDetach(hook: TcHook, filter: TcFilter): number {
  return detach(whole(hook), { sz: koffi.sizeof(filterType), prog_fd: 0, flags: 0, prog_id: 0, ...filter }) as number;
}

function whole(hook: TcHook): object {
  return { sz: koffi.sizeof(hookType), parent: 0, ...hook };
}

export const closeFd = libc.func('int close(int)');

/** In another thread, for what the kernel takes its time to close; that it is refused changes nothing. */
export function closeBeside(fd: number): Promise<void> {
  return new Promise((resolve) => closeFd.async(fd, () => resolve()));
}

/** Of the call just made. */
export function lastError(): string {
  return errnoName(koffi.errno());
}

export const libcSocket = libc.func('int socket(int, int, int)');
export const libcBind = libc.func('int bind(int, const void *, uint32_t)');
export const libcSetsockopt = libc.func('int setsockopt(int, int, int, const void *, uint32_t)');
export const libcSend = libc.func('int64_t send(int, const void *, size_t, int)');
export const libcRecv = libc.func('int64_t recv(int, _Out_ void *, size_t, int)');
export const libcMmap = libc.func('void *mmap(void *, size_t, int, int, int, int64_t)');
export const libcMunmap = libc.func('int munmap(void *, size_t)');

/** The memory behind a pointer that the system gave. */
export function memory(pointer: unknown, bytes: number): ArrayBuffer {
  return koffi.view(pointer as never, bytes);
}

export function addressOf(pointer: unknown): bigint {
  return BigInt(koffi.address(pointer as never));
}

/** Memory of the C library, which stays where it is: for calls that hold addresses. */
export function fixedMemory(bytes: number): { address: bigint; view: Buffer } {
  const pointer: unknown = koffi.alloc('uint8_t', bytes);
  return { address: addressOf(pointer), view: Buffer.from(memory(pointer, bytes)) };
}
