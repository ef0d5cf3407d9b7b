// bpf(2), for calls that Debian's libbpf 1.1 lacks, and membarrier(2).
import { checkSystemCall } from './errno.ts';
import { syscall } from './libc.ts';

const callNumbers = {
  x64: { bpf: 321, membarrier: 324 },
  arm64: { bpf: 280, membarrier: 283 },
}[process.arch as 'x64' | 'arm64'];

export const bpfCommands = { progLoad: 5, progQuery: 16, linkCreate: 28, linkUpdate: 29 } as const;

/** `attributes` is union bpf_attr, which the kernel may write to. Throws a SystemError. */
export function bpf(command: number, attributes: Buffer): number {
  return checkSystemCall('bpf', Number(syscall(callNumbers.bpf, command, attributes, attributes.length)));
}

/** Resolves when every BPF program that is running now has ended (synchronize_rcu). Rejects on nohz_full kernels. */
export function waitForRunningPrograms(): Promise<void> {
  const MEMBARRIER_CMD_GLOBAL = 1;
  return new Promise((resolve, reject) => {
    syscall.async(callNumbers.membarrier, MEMBARRIER_CMD_GLOBAL, null, 0, (error, result) => {
      if (error !== null || Number(result) !== 0) reject(new Error('membarrier(2) is refused'));
      else resolve();
    });
  });
}
