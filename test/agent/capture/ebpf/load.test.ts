// Which of the two compiled programs is loaded, and what is said of it.
import { join } from 'node:path';
import t from 'tap';
import { missingCapabilities } from '../../../../agent/capture/ebpf/capabilities.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';
import { compileForOldKernel } from './without-conntrack.ts';

const needed = ['BPF', 'NET_ADMIN', 'NET_RAW', 'PERFMON'] as const;
const skip = missingCapabilities(needed).length > 0 && 'loading the program needs root';
const programs = ['from_pod', 'to_pod', 'tap_to_pod', 'tell_moment'] as const;

t.test('a kernel that lets no program ask conntrack loads the others, and it is said why', { skip }, async (t) => {
  const program = loadProgram('ebpf', 1_000, compileForOldKernel(t.testdir({})));
  for (const name of programs) t.ok(program.programFd(name) > 0, `${name} is loaded`);
  t.same(program.conntrack, {
    asked: false,
    why: "the kernel's verifier refuses the program (EINVAL): it lets programs ask conntrack from Linux 6.1 on, and where that is a module (nf_conntrack), only those of CAP_SYS_ADMIN",
  });
  program.close();
});

t.test('what was not compiled is not put down to the kernel', { skip }, async (t) => {
  const compiled = compileForOldKernel(t.testdir({}));
  const absent = join(t.testdirName, 'absent.bpf.o');
  const program = loadProgram('ebpf', 1_000, { ...compiled, withConntrack: absent });
  t.same(program.conntrack, { asked: false, why: 'the program is not compiled: run make build' });
  program.close();
  t.throws(() => loadProgram('ebpf', 1_000, { withConntrack: absent, plain: absent }), {
    message: 'the program is not compiled: run make build',
  });
});

t.test('where the kernel lets them, programs ask', { skip }, async (t) => {
  const program = loadProgram('ebpf', 1_000);
  t.same(program.conntrack, { asked: true });
  program.close();
});
