// Finds the instructions of a compiled program that store into its context or into a packet. Follows where each pointer comes
// from, through registers and stack, over all paths of the program.
import { execFileSync } from 'node:child_process';

type Instruction = { opcode: number; dst: number; src: number; offset: number; text: string };
type Routine = { name: string; instructions: Instruction[] };
type Origin = 'context' | 'packet' | undefined;
/** The origin of the pointer in each register (`r0` to `r9`) and stack slot (`stack OFFSET`). */
type Origins = ReadonlyMap<string, Origin>;

/** Offsets of `data`, `data_end` and `data_meta` in struct __sk_buff. */
const packetFields = [76, 80, 140];
const stackPointer = 10;
const called = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5'];
const kind = { load: 1, storeNumber: 2, store: 3, jump: 5, jump32: 6, compute64: 7 } as const;
const opcodes = { wide: 0x18, move: 0xbf, add: 0x0f, addNumber: 0x07, subtractNumber: 0x17 } as const;
const [always, call, exit] = [0x05, 0x85, 0x95];
const eightBytes = 0x18;
const atomic = 0xc0;

/** Every such instruction, as `program: text`. `takesContext`: whether the program's first argument is the context. */
export function storesOutside(object: string, takesContext: (program: string) => boolean): string[] {
  return routinesOf(object).flatMap((routine) => storesOf(routine, takesContext(routine.name)));
}

function storesOf({ name, instructions }: Routine, takesContext: boolean): string[] {
  const before = new Map<number, Origins>([[0, new Map(takesContext ? [['r1', 'context']] : [])]]);
  const open = [0];
  const found = new Set<number>();
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const instruction = instructions[at]!;
    const origins = before.get(at)!;
    if (isStore(instruction) && origins.get(`r${instruction.dst}`) !== undefined) found.add(at);
    const after = step(instruction, origins);
    for (const next of nextOf(instruction, at)) {
      const known = before.get(next);
      const joined = known === undefined ? after : union(known, after);
      if (known !== undefined && joined.size === known.size) continue;
      before.set(next, joined);
      open.push(next);
    }
  }
  return [...found].sort((a, b) => a - b).map((at) => `${name}: ${instructions[at]!.text}`);
}

function isStore({ opcode }: Instruction): boolean {
  return (opcode & 7) === kind.storeNumber || (opcode & 7) === kind.store;
}

function nextOf({ opcode, offset }: Instruction, at: number): number[] {
  if (opcode === exit) return [];
  if (opcode === always) return [at + 1 + offset];
  if (opcode === opcodes.wide) return [at + 2];
  const jumps = (opcode & 7) === kind.jump || (opcode & 7) === kind.jump32;
  return jumps && opcode !== call ? [at + 1, at + 1 + offset] : [at + 1];
}

function step({ opcode, dst, src, offset }: Instruction, before: Origins): Origins {
  const after = new Map(before);
  const put = (place: string, origin: Origin) =>
    origin === undefined ? after.delete(place) : after.set(place, origin);
  const from = before.get(`r${src}`);
  switch (opcode & 7) {
    case kind.load:
      put(`r${dst}`, loaded(opcode, src, offset, before));
      break;
    case kind.store:
      if ((opcode & 0xe0) === atomic) put(`r${src}`, undefined);
      else if (dst === stackPointer) put(`stack ${offset}`, from);
      break;
    case kind.storeNumber:
      if (dst === stackPointer) put(`stack ${offset}`, undefined);
      break;
    case kind.jump:
    case kind.jump32:
      if (opcode === call) for (const register of called) put(register, undefined);
      break;
    default:
      if (opcode === opcodes.move) put(`r${dst}`, from);
      else if (opcode === opcodes.add) put(`r${dst}`, before.get(`r${dst}`) ?? from);
      else if (opcode !== opcodes.addNumber && opcode !== opcodes.subtractNumber) put(`r${dst}`, undefined);
  }
  return after;
}

function loaded(opcode: number, src: number, offset: number, before: Origins): Origin {
  if (src === stackPointer) return (opcode & 0x18) === eightBytes ? before.get(`stack ${offset}`) : undefined;
  return before.get(`r${src}`) === 'context' && packetFields.includes(offset) ? 'packet' : undefined;
}

/** Joins two paths: a pointer may come from the context or a packet on either of them. */
function union(a: Origins, b: Origins): Origins {
  return new Map([...a, ...[...b].filter(([place]) => !a.has(place))]);
}

function routinesOf(object: string): Routine[] {
  const routines: Routine[] = [];
  const lines = execFileSync('llvm-objdump', ['-d', '--mcpu=v3', object], { encoding: 'utf8', maxBuffer: 1 << 26 });
  for (const line of lines.split('\n')) {
    const name = /^[0-9a-f]+ <(?!LBB)(\w+)>:$/.exec(line)?.[1];
    if (name !== undefined) routines.push({ name, instructions: [] });
    const [, raw, text] = /^\s*\d+:\t((?:[0-9a-f]{2} ?)+)\t(.*)$/.exec(line) ?? [];
    if (raw === undefined) continue;
    const bytes = Buffer.from(raw.replaceAll(' ', ''), 'hex');
    // A load of a 64 bit constant takes two instructions.
    for (let at = 0; at < bytes.length; at += 8) {
      const [opcode, registers] = [bytes[at]!, bytes[at + 1]!];
      const [dst, src, offset] = [registers & 15, registers >> 4, bytes.readInt16LE(at + 2)];
      routines.at(-1)!.instructions.push({ opcode, dst, src, offset, text: text! });
    }
  }
  return routines;
}
