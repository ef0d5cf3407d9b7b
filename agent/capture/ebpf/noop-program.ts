// Programs for TC that do nothing, which take the place of ours at a TCX link in the moment in which it begins or ends: to
// put a link up or take it down takes the kernel some 10 ms, to give it another program no time.
import { bpf, bpfCommands } from '../../../kernel/bpf.ts';
import { programId } from '../../../kernel/libbpf.ts';
import { fixedMemory } from '../../../kernel/memory.ts';

type NoopProgram = { fd: number; id: number };
/** A hook holds a program once, so that what comes and what leaves have one each. */
const loaded: Partial<Record<'attaching' | 'detaching', NoopProgram>> = {};

/** For the life of this process. */
export function noopProgram(role: 'attaching' | 'detaching'): NoopProgram {
  let program = loaded[role];
  if (program === undefined) {
    const fd = load();
    program = loaded[role] = { fd, id: programId(fd) };
  }
  return program;
}

/** Before the first of them is wanted at once. */
export function loadNoopPrograms(): void {
  noopProgram('attaching');
  noopProgram('detaching');
}

export function isNoopProgram(id: number): boolean {
  return loaded.attaching?.id === id || loaded.detaching?.id === id;
}

/** `r0 = -1; exit`: the next one of the chain decides. */
function load(): number {
  const BPF_PROG_TYPE_SCHED_CLS = 3;
  const [moveImmediate, exit] = [0xb7, 0x95];
  const instructions = fixedMemory(16);
  instructions.view.writeUInt8(moveImmediate, 0);
  instructions.view.writeInt32LE(-1, 4);
  instructions.view.writeUInt8(exit, 8);
  const license = fixedMemory(16);
  license.view.write('Dual BSD/GPL');
  const attributes = Buffer.alloc(64);
  attributes.writeUInt32LE(BPF_PROG_TYPE_SCHED_CLS, 0);
  attributes.writeUInt32LE(2, 4);
  attributes.writeBigUInt64LE(instructions.address, 8);
  attributes.writeBigUInt64LE(license.address, 16);
  attributes.write('silent', 48);
  return bpf(bpfCommands.progLoad, attributes);
}
