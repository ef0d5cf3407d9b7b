// What the kernel tells of a program that runs: processor time and memory.
import { readFileSync } from 'node:fs';

const ticksASecond = 100; // sysconf(_SC_CLK_TCK), the same on every Linux

export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksASecond;
}

/** Resident now, or the most since the program began. */
export function memoryMiB(pid: number, of: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${of}:\\s+(\\d+) kB`, 'm').exec(status)![1]) / 1024;
}
