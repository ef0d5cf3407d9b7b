// Where the programs of a source stand at an interface: at TC, with a packet tap towards the pod where somebody else filters
// there; or at a packet tap alone.
import { programId } from '../../../kernel/libbpf.ts';
import { type Direction, removeLeftoverFilters } from '../clsact.ts';
import {
  type Attachment,
  allLeft,
  attachClsact,
  attachTap,
  attachTcx,
  type Prepared,
  prepareTcx,
  type TcHook,
  tcHookOfKernel,
} from './attach.ts';
import { OtherFilters } from './other-filters.ts';
import type { LoadedProgram } from './program.ts';
import { loadSilentPrograms } from './silent.ts';

export type Stand = {
  'from-pod': Attachment | undefined;
  'to-pod': Attachment | undefined;
  /** Where packets leave the pod: whether somebody ahead may drop them before ours sees them, and what was done about it. */
  front: { isOurs: boolean; moves: number; calmLooks: number };
};

export type Moved = {
  /** What ours saw since it was asked last may have been dropped behind it. */
  doubt: boolean;
  /** Packets passed that ours did not see. */
  missed: boolean;
  /** By which it stands now; undefined where it stays. */
  way: Attachment['way'] | undefined;
};

export type Places = {
  /** Throws with the kernel's word where it refuses. */
  attach(interfaceIndex: number): Stand;
  /** Asked before rows are read: learns who else came or went since. */
  look(): void;
  /** Moves what has to stand elsewhere now, or was taken away by others. Throws as `attach` does. */
  move(interfaceIndex: number, stand: Stand, direction: Direction): Moved;
  /** Nothing is counted there from now on. At the end nothing is waited for: it is taken away beside. */
  forget(interfaceIndex: number, stand: Stand, when: 'while watching' | 'at the end'): void;
  /** Resolves when everything is taken away. */
  close(): Promise<void>;
};

const stays: Moved = { doubt: false, missed: false, way: undefined };
/** Who wants to be first as we do gets it after so many moves, until it has been calm for a while. */
const mostMoves = 3;
const looksThatAreCalm = 50;
const inFront = () => ({ isOurs: true, moves: 0, calmLooks: 0 });

export function placesOf(name: 'ebpf' | 'tap', program: LoadedProgram): Places {
  return name === 'ebpf' ? new TcPlaces(program, tcHookOfKernel()) : tapPlaces(program);
}

export class TcPlaces implements Places {
  readonly #hook: TcHook;
  readonly #programs: Readonly<Record<Direction, number>>;
  readonly #tap: number;
  readonly #others: OtherFilters;

  constructor(program: LoadedProgram, hook: TcHook) {
    this.#hook = hook;
    this.#programs = { 'from-pod': program.program('from_pod'), 'to-pod': program.program('to_pod') };
    this.#tap = program.program('tap_to_pod');
    const own = { 'from-pod': programId(this.#programs['from-pod']), 'to-pod': programId(this.#programs['to-pod']) };
    this.#others = new OtherFilters(hook, own);
    if (hook === 'tcx') loadSilentPrograms();
  }

  attach(index: number): Stand {
    removeLeftoverFilters(index);
    const fromPod = this.#attachTc(index, 'from-pod');
    try {
      const isFiltered = this.#others.towardsPod(index);
      const toPod = isFiltered ? attachTap(this.#tap, index) : this.#attachTc(index, 'to-pod');
      this.#changedByUs(index);
      return { 'from-pod': fromPod, 'to-pod': toPod, front: inFront() };
    } catch (error) {
      fromPod.leave();
      throw error;
    }
  }

  look(): void {
    this.#others.refresh();
  }

  move(index: number, stand: Stand, direction: Direction): Moved {
    return direction === 'to-pod' ? this.#lookTowardsPod(index, stand) : this.#lookFromPod(index, stand);
  }

  forget(index: number, stand: Stand, when: 'while watching' | 'at the end'): void {
    takeAway(stand, when);
    this.#others.forget(index);
  }

  async close(): Promise<void> {
    await allLeft();
    this.#others.close();
  }

  #lookTowardsPod(index: number, stand: Stand): Moved {
    const changed = this.#others.changed(index);
    const before = stand['to-pod'];
    // A tap stands behind everybody, and nobody takes it away.
    const place = before?.way === 'tap' ? 'first' : this.#others.place(index, 'to-pod');
    const isGone = before === undefined || place === 'absent';
    if (!isGone && (before.way === 'tap') === this.#others.towardsPod(index)) {
      if (before.way === 'tap') return stays;
      return { doubt: changed !== 'no', missed: changed === 'ahead or behind', way: undefined };
    }
    if (isGone) {
      before?.leave();
      stand['to-pod'] = undefined;
    }
    const missed = place !== 'first' || (before?.way !== 'tap' && changed === 'ahead or behind');
    return { doubt: true, missed, way: this.#moveTowardsPod(index, stand).way };
  }

  /** What comes begins before what was there ends: a packet of that moment is counted twice rather than not at all. */
  #moveTowardsPod(index: number, stand: Stand): Attachment {
    const before = stand['to-pod'];
    stand['to-pod'] = undefined; // Where no other place is to be had: what it counts somebody else may drop.
    try {
      const isFiltered = this.#others.towardsPod(index);
      const after = isFiltered ? attachTap(this.#tap, index) : this.#prepareTc(index, 'to-pod').begin();
      stand['to-pod'] = after;
      return after;
    } finally {
      before?.leave();
      this.#changedByUs(index);
    }
  }

  #lookFromPod(index: number, stand: Stand): Moved {
    const { front } = stand;
    const place = stand['from-pod'] === undefined ? 'absent' : this.#others.place(index, 'from-pod');
    front.isOurs = place === 'first';
    front.calmLooks = front.isOurs ? front.calmLooks + 1 : 0;
    if (front.calmLooks >= looksThatAreCalm) front.moves = 0;
    if (front.isOurs) return stays;
    if (place === 'behind others') {
      if (front.moves >= mostMoves) throw new Error('another program puts itself ahead of ours, again and again');
      front.moves += 1;
    }
    const { way } = this.#moveToFront(index, stand);
    front.isOurs = this.#others.place(index, 'from-pod') === 'first';
    return { doubt: false, missed: place === 'absent', way };
  }

  /** A hook of TCX holds a program once: between the one that leaves and the one that begins lie some microseconds. */
  #moveToFront(index: number, stand: Stand): Attachment {
    const prepared = this.#prepareTc(index, 'from-pod');
    stand['from-pod']?.leave();
    stand['from-pod'] = undefined;
    const after = prepared.begin();
    stand['from-pod'] = after;
    this.#others.askAgain(index);
    return after;
  }

  #changedByUs(index: number): void {
    this.#others.askAgain(index);
    this.#others.changed(index);
  }

  #attachTc(index: number, direction: Direction): Attachment {
    const attach = this.#hook === 'tcx' ? attachTcx : attachClsact;
    return attach(this.#programs[direction], index, direction);
  }

  #prepareTc(index: number, direction: Direction): Prepared {
    if (this.#hook === 'tcx') return prepareTcx(this.#programs[direction], index, direction);
    return { begin: () => attachClsact(this.#programs[direction], index, direction) };
  }
}

function tapPlaces(program: LoadedProgram): Places {
  return {
    attach(index) {
      removeLeftoverFilters(index);
      const tap = attachTap(program.program('tap_both'), index);
      return { 'from-pod': tap, 'to-pod': tap, front: inFront() };
    },
    look: () => undefined,
    move: () => stays,
    forget: (_, stand, when) => takeAway(stand, when),
    close: allLeft,
  };
}

/** What leaves beside is a change that the next one to stand there cannot tell from those of others. */
function takeAway(stand: Stand, when: 'while watching' | 'at the end'): void {
  for (const attachment of new Set([stand['from-pod'], stand['to-pod']])) {
    if (when === 'at the end') attachment?.leave();
    else attachment?.detach();
  }
  stand['from-pod'] = stand['to-pod'] = undefined;
}
