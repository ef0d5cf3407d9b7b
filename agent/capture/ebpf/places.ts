// Where the programs of a source stand at an interface: at TC, with a packet tap towards the pod where somebody else
// filters there; or at a packet tap alone.
import { type Attachment, attachClsact, attachTap, attachTcx, type Direction, filterTowardsPod } from './attach.ts';
import { programId } from './kernel.ts';
import { OtherFilters } from './other-filters.ts';
import type { LoadedProgram } from './program.ts';

export type Stand = { fromPod: Attachment | undefined; toPod: Attachment | undefined };

export type Places = {
  /** Throws with the kernel's word where it refuses. */
  attach(interfaceIndex: number): Stand;
  /** Asked before rows are read: learns who else came or went since. */
  look(): void;
  /**
   * Moves what has to stand elsewhere now, and tells it. `doubt`: it stays, and what it saw since it was asked last may
   * have been dropped behind it. Throws as `attach` does.
   */
  move(interfaceIndex: number, stand: Stand): Attachment | 'doubt' | undefined;
  forget(interfaceIndex: number): void;
  close(): void;
};

export function tcPlaces(program: LoadedProgram): Places {
  const others = new OtherFilters(programId(program.program('to_pod')), filterTowardsPod);
  const attachTowardsPod = (index: number) =>
    others.at(index)
      ? attachTap(program.program('tap_to_pod'), index)
      : attachTc(program.program('to_pod'), index, 'to-pod');
  return {
    attach(index) {
      const fromPod = attachTc(program.program('from_pod'), index, 'from-pod');
      try {
        const toPod = attachTowardsPod(index);
        others.changed(index); // by ourselves
        return { fromPod, toPod };
      } catch (error) {
        fromPod.detach();
        throw error;
      }
    },
    look: () => others.refresh(),
    move(index, stand) {
      const changed = others.changed(index);
      if (stand.toPod !== undefined && (stand.toPod.way === 'tap') === others.at(index)) {
        return changed && stand.toPod.way !== 'tap' ? 'doubt' : undefined;
      }
      // Before the other one: what comes between is not seen, and nothing is counted twice.
      stand.toPod?.detach();
      stand.toPod = undefined;
      stand.toPod = attachTowardsPod(index);
      others.changed(index); // by ourselves
      return stand.toPod;
    },
    forget: (index) => others.forget(index),
    close: () => others.close(),
  };
}

export function tapPlaces(program: LoadedProgram): Places {
  return {
    attach: (index) => ({ fromPod: undefined, toPod: attachTap(program.program('tap_both'), index) }),
    look: () => undefined,
    move: () => undefined,
    forget: () => undefined,
    close: () => undefined,
  };
}

/** TCX, or clsact on kernels that do not have it. */
function attachTc(program: number, index: number, direction: Direction): Attachment {
  try {
    return attachTcx(program, index, direction);
  } catch {
    return attachClsact(program, index, direction);
  }
}
