// Memory outside the JavaScript heap, which never moves: for calls that keep addresses, and for mapped files.
import koffi from 'koffi';
import { mmap, munmap } from './libc.ts';

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FAILED = -1n;

export type FixedMemory = {
  address: bigint;
  view: Buffer;
  /** Do not use `view` afterwards. */
  free(): void;
};

export type Mapping = { memory: ArrayBuffer; unmap(): void };

/** Filled with zeros. It is never freed automatically. */
export function fixedMemory(bytes: number): FixedMemory {
  const pointer: bigint = koffi.alloc('uint8_t', bytes);
  const view = Buffer.from(koffi.view(pointer, bytes)).fill(0);
  return { address: koffi.address(pointer), view, free: () => koffi.free(pointer) };
}

/** Maps `bytes` of the file, shared with its other users; undefined if the kernel refuses. */
export function mapShared(
  fd: number,
  bytes: number,
  access: 'read' | 'read-write',
  offset: number,
): Mapping | undefined {
  const protection = access === 'read' ? PROT_READ : PROT_READ | PROT_WRITE;
  const pointer = mmap(null, bytes, protection, MAP_SHARED, fd, offset);
  if (BigInt.asIntN(64, koffi.address(pointer)) === MAP_FAILED) return undefined;
  return { memory: koffi.view(pointer, bytes), unmap: () => munmap(pointer, bytes) };
}
