// The kernel's memory of the tables: the container's limit in deploy/agent.yaml is made by this sum.
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { missingCapabilities } from '../../../../agent/capture/ebpf/capabilities.ts';
import { loadProgram, mapBytes } from '../../../../agent/capture/ebpf/program.ts';

const needed = ['BPF', 'NET_ADMIN', 'NET_RAW', 'PERFMON'] as const;
const skip = missingCapabilities(needed).length > 0 && 'loading the program needs root';
/** Maps whose size no setting changes, the ring aside. */
const restBytes = 1 << 20;

t.test(
  'two tables, what conntrack was asked for, and the ring are all but a MiB of what the kernel takes',
  { skip },
  async (t) => {
    for (const most of [100, 100_000, 300_000]) {
      const before = takenBytes();
      const program = loadProgram('ebpf', most);
      const taken = takenBytes() - before;
      program.close();
      t.ok(taken >= mapBytes(most) && taken < mapBytes(most) + restBytes, `${most}: ${taken} of ${mapBytes(most)}`);
    }
    t.equal(Math.round(mapBytes(100_000) / 2 ** 20), 35);
  },
);

/** Of every map that this process holds, as the kernel reckons. */
function takenBytes(): number {
  let bytes = 0;
  for (const fd of readdirSync('/proc/self/fdinfo')) {
    const [, memlock] = /^map_type:[\s\S]*^memlock:\s+(\d+)$/m.exec(infoOf(fd)) ?? [];
    bytes += Number(memlock ?? 0);
  }
  return bytes;
}

/** The descriptor that read the folder is gone by then. */
function infoOf(fd: string): string {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  } catch {
    return '';
  }
}
