// Names of errors of the system, as its manual has them, and the one that only the kernel's own header has.
import koffi from 'koffi';

const fromKernel: [number, string] = [524, 'ENOTSUPP'];

const errnoNames: ReadonlyMap<number, string> = new Map([
  ...Object.entries(koffi.os.errno).map(([name, errno]): [number, string] => [errno, name]),
  fromKernel,
]);

export function errnoName(errno: number): string {
  return errnoNames.get(errno) ?? `errno ${errno}`;
}
