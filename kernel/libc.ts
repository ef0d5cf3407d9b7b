// Calls of the C library that Node lacks. They return the result of libc: -1 is a failure, and errno.ts reads its errno.
import koffi, { type KoffiFunc } from 'koffi';

const libc = koffi.load('libc.so.6');

export const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
export const SOL_SOCKET = 1;

export const socket: (domain: number, type: number, protocol: number) => number =
  libc.func('int socket(int, int, int)');

export const bind: (fd: number, address: Buffer, length: number) => number = libc.func(
  'int bind(int, const void *, uint32_t)',
);

export const getsockname: (fd: number, address: Buffer, length: [number]) => number = libc.func(
  'int getsockname(int, _Out_ void *, _Inout_ uint32_t *)',
);

export const send: (fd: number, message: Buffer, length: number, flags: number) => number = libc.func(
  'int64_t send(int, const void *, size_t, int)',
);

export const sendto: (
  fd: number,
  message: Buffer,
  length: number,
  flags: number,
  address: Buffer,
  addressLength: number,
) => number = libc.func('int64_t sendto(int, const void *, size_t, int, const void *, uint32_t)');

/** `messages` is the address of an array of struct mmsghdr. Returns how many were sent. */
export const sendmmsg: (fd: number, messages: bigint, count: number, flags: number) => number = libc.func(
  'int sendmmsg(int, void *, unsigned int, int)',
);

export const recv: (fd: number, into: Buffer, length: number, flags: number) => number = libc.func(
  'int64_t recv(int, _Out_ void *, size_t, int)',
);

const setsockopt: (fd: number, level: number, option: number, value: Buffer, length: number) => number = libc.func(
  'int setsockopt(int, int, int, const void *, uint32_t)',
);

export function setSocketOption(fd: number, level: number, option: number, value: Buffer): number {
  return setsockopt(fd, level, option, value, value.length);
}

export const mmap: (
  address: null,
  bytes: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
) => bigint = libc.func('void *mmap(void *, size_t, int, int, int, int64_t)');

export const munmap: (address: bigint, bytes: number) => number = libc.func('int munmap(void *, size_t)');

const close: KoffiFunc<(fd: number) => number> = libc.func('int close(int)');

export function closeFd(fd: number): void {
  close(fd);
}

/** Closes in another thread, because closing some files takes long. Resolves also if the kernel refuses. */
export function closeInBackground(fd: number): Promise<void> {
  return new Promise((resolve) => close.async(fd, () => resolve()));
}

type SystemCall = (number: number, command: number, argument: Buffer | null, size: number) => number | bigint;

/** Makes a system call by number, for calls without a libc function. */
export const syscall: KoffiFunc<SystemCall> = libc.func('int64_t syscall(int64_t, int64_t, void *, uint32_t)');
