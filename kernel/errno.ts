// Failed calls of the system and of libbpf, with the errno's name as the manual has it.
import koffi from 'koffi';

/** Only the kernel's own header has it. */
const fromKernel: [number, string] = [524, 'ENOTSUPP'];

const errnoNames: ReadonlyMap<number, string> = new Map([
  ...Object.entries(koffi.os.errno).map(([name, errno]): [number, string] => [errno, name]),
  fromKernel,
]);

/** `errno` is its name: `ENODEV`. */
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

/** The errno's name of the system call just made. */
export function lastErrno(): string {
  return errnoName(koffi.errno());
}

/**
 * Returns `result`, or throws where it is negative. libc overwrites the errno with its next call, so write that call as the
 * argument.
 */
export function checkSystemCall(call: string, result: number): number {
  if (result >= 0) return result;
  throw new SystemError(call, lastErrno());
}

/** Returns `result`, or throws where it is negative. libbpf returns the errno itself: -1 is EPERM. */
export function checkLibbpfCall(call: string, result: number): number {
  if (result >= 0) return result;
  throw new SystemError(call, errnoName(-result));
}
