// How many processors the kernel may ever have: as many values a per-CPU map hands over.
import { readFileSync } from 'node:fs';

export function possibleCpus(list = readFileSync('/sys/devices/system/cpu/possible', 'utf8')): number {
  const bounds = list.trim().split(/[-,]/).map(Number);
  return Math.max(...bounds) + 1;
}
