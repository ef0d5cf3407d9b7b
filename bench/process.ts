// Processor time and memory of a running process, from /proc.
import { readFileSync } from 'node:fs';

const ticksPerSecond = 100; // sysconf(_SC_CLK_TCK), the same on every Linux

export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** `VmRSS`: resident now. `VmHWM`: the maximum since the process started. */
export function memoryMiB(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]) / 1024;
}
