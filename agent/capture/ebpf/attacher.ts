// Where the programs of a source stand at an interface: at TC, with a packet tap towards the pod where somebody else filters
// there; or at a packet tap alone.
import { programId } from '../../../kernel/libbpf.ts';
import { removeLeftoverFilters } from '../clsact.ts';
import type { Direction } from '../source.ts';
import {
  type Attachment,
  allDetached,
  attachClsact,
  attachTap,
  attachTcx,
  type PreparedAttachment,
  prepareTcx,
  supportedTcKind,
  type TcKind,
} from './attach.ts';
import { loadNoopPrograms } from './noop-program.ts';
import { OtherFilters } from './other-filters.ts';
import type { LoadedProgram } from './program.ts';

export type InterfaceAttachments = {
  'from-pod': Attachment | undefined;
  'to-pod': Attachment | undefined;
  /** Where packets leave the pod: whether somebody ahead may drop them before ours sees them, and what was done about it. */
  chainHead: { isOurs: boolean; moves: number; stableRefreshes: number };
};

export type Reattachment = {
  /** What ours saw since it was asked last may have been dropped behind it. */
  deliveryUnproven: boolean;
  /** Packets passed that ours did not see. */
  hasGap: boolean;
  /** By which it stands now; undefined where it stays. */
  kind: Attachment['kind'] | undefined;
};

export type Attacher = {
  /** Throws with the kernel's word where it refuses. */
  attach(interfaceIndex: number): InterfaceAttachments;
  /** Asked before rows are read: learns who else came or went since. */
  refresh(): void;
  /** Moves what has to stand elsewhere now, or was taken away by others. Throws as `attach` does. */
  reattach(interfaceIndex: number, attachments: InterfaceAttachments, direction: Direction): Reattachment;
  /** Nothing is counted there from now on. At the end nothing is waited for: it is taken away beside. */
  detach(interfaceIndex: number, attachments: InterfaceAttachments, when: 'while watching' | 'at the end'): void;
  /** Resolves when everything is taken away. */
  close(): Promise<void>;
};

const unchanged: Reattachment = { deliveryUnproven: false, hasGap: false, kind: undefined };
/** Who wants to be first as we do gets it after so many moves, until it has been calm for a while. */
const maxMoves = 3;
const refreshesUntilStable = 50;
const newChainHead = () => ({ isOurs: true, moves: 0, stableRefreshes: 0 });

export function attacherFor(name: 'ebpf' | 'tap', program: LoadedProgram): Attacher {
  return name === 'ebpf' ? new TcAttacher(program, supportedTcKind()) : tapAttacher(program);
}

export class TcAttacher implements Attacher {
  readonly #tcKind: TcKind;
  readonly #programs: Readonly<Record<Direction, number>>;
  readonly #tap: number;
  readonly #others: OtherFilters;

  constructor(program: LoadedProgram, tcKind: TcKind) {
    this.#tcKind = tcKind;
    this.#programs = { 'from-pod': program.programFd('from_pod'), 'to-pod': program.programFd('to_pod') };
    this.#tap = program.programFd('tap_to_pod');
    const own = { 'from-pod': programId(this.#programs['from-pod']), 'to-pod': programId(this.#programs['to-pod']) };
    this.#others = new OtherFilters(tcKind, own);
    if (tcKind === 'tcx') loadNoopPrograms();
  }

  attach(index: number): InterfaceAttachments {
    removeLeftoverFilters(index);
    const fromPod = this.#attachTc(index, 'from-pod');
    try {
      const isFiltered = this.#others.isFilteredTowardsPod(index);
      const toPod = isFiltered ? attachTap(this.#tap, index) : this.#attachTc(index, 'to-pod');
      this.#ignoreOwnChange(index);
      return { 'from-pod': fromPod, 'to-pod': toPod, chainHead: newChainHead() };
    } catch (error) {
      fromPod.detachInBackground();
      throw error;
    }
  }

  refresh(): void {
    this.#others.refresh();
  }

  reattach(index: number, attachments: InterfaceAttachments, direction: Direction): Reattachment {
    return direction === 'to-pod' ? this.#reattachToPod(index, attachments) : this.#reattachFromPod(index, attachments);
  }

  detach(index: number, attachments: InterfaceAttachments, when: 'while watching' | 'at the end'): void {
    detachAll(attachments, when);
    this.#others.forget(index);
  }

  async close(): Promise<void> {
    await allDetached();
    this.#others.close();
  }

  #reattachToPod(index: number, attachments: InterfaceAttachments): Reattachment {
    const changed = this.#others.changed(index);
    const before = attachments['to-pod'];
    // A tap stands behind everybody, and nobody takes it away.
    const position = before?.kind === 'tap' ? 'first' : this.#others.position(index, 'to-pod');
    const isGone = before === undefined || position === 'absent';
    if (!isGone && (before.kind === 'tap') === this.#others.isFilteredTowardsPod(index)) {
      if (before.kind === 'tap') return unchanged;
      return { deliveryUnproven: changed !== 'no', hasGap: changed === 'ahead or behind', kind: undefined };
    }
    if (isGone) {
      before?.detachInBackground();
      attachments['to-pod'] = undefined;
    }
    const hasGap = position !== 'first' || (before?.kind !== 'tap' && changed === 'ahead or behind');
    return { deliveryUnproven: true, hasGap, kind: this.#replaceToPod(index, attachments).kind };
  }

  /** What comes begins before what was there ends: a packet of that moment is counted twice rather than not at all. */
  #replaceToPod(index: number, attachments: InterfaceAttachments): Attachment {
    const before = attachments['to-pod'];
    attachments['to-pod'] = undefined; // Where no other place is to be had: what it counts somebody else may drop.
    try {
      const isFiltered = this.#others.isFilteredTowardsPod(index);
      const after = isFiltered ? attachTap(this.#tap, index) : this.#prepareTc(index, 'to-pod').activate();
      attachments['to-pod'] = after;
      return after;
    } finally {
      before?.detachInBackground();
      this.#ignoreOwnChange(index);
    }
  }

  #reattachFromPod(index: number, attachments: InterfaceAttachments): Reattachment {
    const { chainHead } = attachments;
    const position = attachments['from-pod'] === undefined ? 'absent' : this.#others.position(index, 'from-pod');
    chainHead.isOurs = position === 'first';
    chainHead.stableRefreshes = chainHead.isOurs ? chainHead.stableRefreshes + 1 : 0;
    if (chainHead.stableRefreshes >= refreshesUntilStable) chainHead.moves = 0;
    if (chainHead.isOurs) return unchanged;
    if (position === 'behind others') {
      if (chainHead.moves >= maxMoves) throw new Error('another program puts itself ahead of ours, again and again');
      chainHead.moves += 1;
    }
    const { kind } = this.#moveToFront(index, attachments);
    chainHead.isOurs = this.#others.position(index, 'from-pod') === 'first';
    return { deliveryUnproven: false, hasGap: position === 'absent', kind };
  }

  /** A hook of TCX holds a program once: between the one that leaves and the one that begins lie some microseconds. */
  #moveToFront(index: number, attachments: InterfaceAttachments): Attachment {
    const prepared = this.#prepareTc(index, 'from-pod');
    attachments['from-pod']?.detachInBackground();
    attachments['from-pod'] = undefined;
    const after = prepared.activate();
    attachments['from-pod'] = after;
    this.#others.invalidate(index);
    return after;
  }

  #ignoreOwnChange(index: number): void {
    this.#others.invalidate(index);
    this.#others.changed(index);
  }

  #attachTc(index: number, direction: Direction): Attachment {
    const attach = this.#tcKind === 'tcx' ? attachTcx : attachClsact;
    return attach(this.#programs[direction], index, direction);
  }

  #prepareTc(index: number, direction: Direction): PreparedAttachment {
    if (this.#tcKind === 'tcx') return prepareTcx(this.#programs[direction], index, direction);
    return { activate: () => attachClsact(this.#programs[direction], index, direction) };
  }
}

function tapAttacher(program: LoadedProgram): Attacher {
  return {
    attach(index) {
      removeLeftoverFilters(index);
      const tap = attachTap(program.programFd('tap_both'), index);
      return { 'from-pod': tap, 'to-pod': tap, chainHead: newChainHead() };
    },
    refresh: () => undefined,
    reattach: () => unchanged,
    detach: (_, attachments, when) => detachAll(attachments, when),
    close: allDetached,
  };
}

/** What leaves beside is a change that the next one to stand there cannot tell from those of others. */
function detachAll(attachments: InterfaceAttachments, when: 'while watching' | 'at the end'): void {
  for (const attachment of new Set([attachments['from-pod'], attachments['to-pod']])) {
    if (when === 'at the end') attachment?.detachInBackground();
    else attachment?.detach();
  }
  attachments['from-pod'] = attachments['to-pod'] = undefined;
}
