// Errors of system calls and of libbpf, with the errno's name from the manual.
import koffi from 'koffi';

/** An errno that only the kernel's internal headers define. */
const kernelInternal: [number, string] = [524, 'ENOTSUPP'];

const errnoNames: ReadonlyMap<number, string> = new Map([
  ...Object.entries(koffi.os.errno).map(([name, errno]): [number, string] => [errno, name]),
  kernelInternal,
]);

/** `errno` is a name, such as `ENODEV`. */
export class SystemError extends Error {
  readonly call: string;
  readonly errno: string;

  constructor(call: string, errno: string) {
    super(`${call}: ${errno}`);
    this.name = 'SystemError';
    this.call = call;
    this.errno = errno;
  }
}

export function errnoName(errno: number): string {
  return errnoNames.get(errno) ?? `errno ${errno}`;
}

/** The name of the errno of the last system call. */
export function lastErrno(): string {
  return errnoName(koffi.errno());
}

/**
 * Returns `result`, or throws if it is negative. The next libc call overwrites the errno, so make the call in the argument.
 */
export function checkSystemCall(call: string, result: number): number {
  if (result >= 0) return result;
  throw new SystemError(call, lastErrno());
}

/** Returns `result`, or throws if it is negative. libbpf returns the negative errno: -1 is EPERM. */
export function checkLibbpfCall(call: string, result: number): number {
  if (result >= 0) return result;
  throw new SystemError(call, errnoName(-result));
}
