// The number of CPUs that the kernel may ever have. A per-CPU map returns one value for each.
import { readFileSync } from 'node:fs';

export function possibleCpus(list = readFileSync('/sys/devices/system/cpu/possible', 'utf8')): number {
  const bounds = list.trim().split(/[-,]/).map(Number);
  return Math.max(...bounds) + 1;
}
