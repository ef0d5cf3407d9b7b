// Kernel memory of the tables. The memory limit in deploy/agent.yaml is computed from it.
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { missingCapabilities } from '../../../../agent/capture/ebpf/capabilities.ts';
import { loadProgram, mapBytes } from '../../../../agent/capture/ebpf/program.ts';

const needed = ['BPF', 'NET_ADMIN', 'NET_RAW', 'PERFMON'] as const;
const skip = missingCapabilities(needed).length > 0 && 'loading the program needs root';
/** The maps of fixed size, except the ring. */
const restBytes = 1 << 20;

t.test('mapBytes is the kernel memory of the program, except for less than 1 MiB', { skip }, async (t) => {
  for (const maxConnections of [100, 100_000, 300_000]) {
    const before = takenBytes();
    const program = loadProgram('ebpf', maxConnections);
    const taken = takenBytes() - before;
    program.close();
    const expected = mapBytes(maxConnections);
    t.ok(taken >= expected && taken < expected + restBytes, `${maxConnections}: ${taken} of ${expected}`);
  }
  t.equal(Math.round(mapBytes(100_000) / 2 ** 20), 41);
});

/** The memory of all maps that this process holds, as the kernel charges it. */
function takenBytes(): number {
  let bytes = 0;
  for (const fd of readdirSync('/proc/self/fdinfo')) {
    const [, memlock] = /^map_type:[\s\S]*^memlock:\s+(\d+)$/m.exec(infoOf(fd)) ?? [];
    bytes += Number(memlock ?? 0);
  }
  return bytes;
}

/** Empty for the descriptor that read the folder: it is closed by now. */
function infoOf(fd: string): string {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  } catch {
    return '';
  }
}
