// Attaches a BPF program at the TCX hook where packets enter a pod, after the programs that are there. Prints `attached`,
// and exits when its stdin ends: that detaches the program.
//   node tcx-program.ts OBJECT PROGRAM INTERFACE-INDEX
import { attachTcx } from '../../agent/capture/ebpf/attach.ts';
import { findProgram, objectLoad, objectOpen, programFd, silenceLibbpf } from '../../kernel/libbpf.ts';

const [object, name, index] = process.argv.slice(2) as [string, string, string];
try {
  silenceLibbpf();
  const opened = objectOpen(object, null);
  if (opened === null || objectLoad(opened) !== 0) throw new Error('the kernel rejects the program');
  attachTcx(programFd(findProgram(opened, name)), Number(index), 'to-pod');
  process.stdout.write('attached\n');
  process.stdin.resume().once('end', () => process.exit(0));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
