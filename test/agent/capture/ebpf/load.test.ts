// Which of the two compiled programs is loaded, and the reason.
import { join } from 'node:path';
import t from 'tap';
import { missingCapabilities } from '../../../../agent/capture/ebpf/capabilities.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';
import { compileForOldKernel } from './without-conntrack.ts';

const needed = ['BPF', 'NET_ADMIN', 'NET_RAW', 'PERFMON'] as const;
const skip = missingCapabilities(needed).length > 0 && 'loading the program needs root';
const programs = ['from_pod', 'to_pod', 'tap_to_pod', 'sample_clocks'] as const;

t.test('without conntrack lookups in the kernel the plain program is loaded, with the reason', { skip }, async (t) => {
  const program = loadProgram('ebpf', 1_000, compileForOldKernel(t.testdir({})));
  for (const name of programs) t.ok(program.programFd(name) > 0, `${name} is loaded`);
  t.same(program.conntrack, {
    available: false,
    reason:
      'the kernel refuses the eBPF program (EINVAL): conntrack lookups need Linux 6.1 or later, and CAP_SYS_ADMIN if conntrack is a module (nf_conntrack)',
  });
  program.close();
});

t.test('a program that is not compiled is reported as such', { skip }, async (t) => {
  const compiled = compileForOldKernel(t.testdir({}));
  const absent = join(t.testdirName, 'absent.bpf.o');
  const program = loadProgram('ebpf', 1_000, { ...compiled, withConntrack: absent });
  t.same(program.conntrack, { available: false, reason: 'eBPF program is not compiled; run make build' });
  program.close();
  t.throws(() => loadProgram('ebpf', 1_000, { withConntrack: absent, plain: absent }), {
    message: 'eBPF program is not compiled; run make build',
  });
});

t.test('if the kernel allows it, the program looks up conntrack', { skip }, async (t) => {
  const program = loadProgram('ebpf', 1_000);
  t.same(program.conntrack, { available: true });
  program.close();
});
