// TC programs that do nothing. They hold the place of ours at a TCX link just before it begins or after it ends: creating or
// closing a link takes the kernel about 10 ms, but replacing its program takes no time.
import { bpf, bpfCommands } from '../../../kernel/bpf.ts';
import { programId } from '../../../kernel/libbpf.ts';
import { fixedMemory } from '../../../kernel/memory.ts';

type NoopProgram = { fd: number; id: number };
/** Two programs, because a hook accepts each program only once and one link may begin while another ends. */
const loaded: Partial<Record<'attaching' | 'detaching', NoopProgram>> = {};

/** Stays loaded until this process ends. */
export function noopProgram(role: 'attaching' | 'detaching'): NoopProgram {
  let program = loaded[role];
  if (program === undefined) {
    const fd = load();
    program = loaded[role] = { fd, id: programId(fd) };
  }
  return program;
}

/** Loads both in advance, so that later calls do not wait. */
export function loadNoopPrograms(): void {
  noopProgram('attaching');
  noopProgram('detaching');
}

export function isNoopProgram(id: number): boolean {
  return loaded.attaching?.id === id || loaded.detaching?.id === id;
}

/** `r0 = -1; exit`: the next program of the chain decides. */
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
