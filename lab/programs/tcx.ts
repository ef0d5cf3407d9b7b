// Holds a program at the TCX hook where packets enter a pod, behind whoever stands there: the link goes with the process.
// Tells `attached` when it is, and ends with its stdin.
//   node tcx.ts OBJECT PROGRAM INTERFACE-INDEX
import { attachTcx } from '../../agent/capture/ebpf/attach.ts';
import { findProgram, objectLoad, objectOpen, programFd, silenceLibbpf } from '../../kernel/libbpf.ts';

const [object, name, index] = process.argv.slice(2) as [string, string, string];
try {
  silenceLibbpf();
  const opened = objectOpen(object, null);
  if (opened === null || objectLoad(opened) !== 0) throw new Error('the kernel does not load the program');
  attachTcx(programFd(findProgram(opened, name)), Number(index), 'to-pod');
  process.stdout.write('attached\n');
  process.stdin.resume().once('end', () => process.exit(0));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
