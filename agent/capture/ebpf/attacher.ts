// Chooses how a source attaches to an interface. `ebpf`: TC programs; towards the pod a packet tap, if other programs may drop
// packets there. `tap`: one packet tap.
import { programId } from '../../../kernel/libbpf.ts';
import { removeLeftoverFilters } from '../clsact.ts';
import type { PodDirection } from '../source.ts';
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
  /** From the pod: whether our program is first (else another may drop packets before it), and how often it was moved. */
  chainHead: { isOurs: boolean; moves: number; stableRefreshes: number };
};

export type Reattachment = {
  /** Another program may have dropped packets that ours counted since the last call. */
  deliveryUnproven: boolean;
  /** Our program may have missed packets. */
  hasGap: boolean;
  /** The new kind; undefined if nothing was attached again. */
  kind: Attachment['kind'] | undefined;
};

export type Attacher = {
  /** Throws with the kernel's error if it refuses. */
  attach(interfaceIndex: number): InterfaceAttachments;
  /** Reads which other programs came or went. Call it before rows are read. */
  refresh(): void;
  /** Attaches our program again if others removed it, or if it must move. Throws like `attach`. */
  reattach(interfaceIndex: number, attachments: InterfaceAttachments, direction: PodDirection): Reattachment;
  /** Counting stops at once. 'at the end' does not wait: programs are detached in the background. */
  detach(interfaceIndex: number, attachments: InterfaceAttachments, when: 'while watching' | 'at the end'): void;
  /** Resolves when everything is detached. */
  close(): Promise<void>;
};

const unchanged: Reattachment = { deliveryUnproven: false, hasGap: false, kind: undefined };
/** After this many moves our program stays behind another one that moves to the front too. */
const maxMoves = 3;
/** After this many refreshes at the front, the moves are counted from zero again. */
const refreshesUntilStable = 50;
const newChainHead = () => ({ isOurs: true, moves: 0, stableRefreshes: 0 });

export function attacherFor(name: 'ebpf' | 'tap', program: LoadedProgram): Attacher {
  return name === 'ebpf' ? new TcAttacher(program, supportedTcKind()) : tapAttacher(program);
}

export class TcAttacher implements Attacher {
  readonly #tcKind: TcKind;
  readonly #programs: Readonly<Record<PodDirection, number>>;
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

  reattach(index: number, attachments: InterfaceAttachments, direction: PodDirection): Reattachment {
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
    // A tap sees packets after all TC programs, and others cannot remove it.
    const position = before?.kind === 'tap' ? 'first' : this.#others.position(index, 'to-pod');
    const isGone = before === undefined || position === 'absent';
    if (!isGone && (before.kind === 'tap') === this.#others.isFilteredTowardsPod(index)) {
      if (before.kind === 'tap') return unchanged;
      return { deliveryUnproven: changed !== 'no', hasGap: changed === 'before or after ours', kind: undefined };
    }
    if (isGone) {
      before?.detachInBackground();
      attachments['to-pod'] = undefined;
    }
    const hasGap = position !== 'first' || (before?.kind !== 'tap' && changed === 'before or after ours');
    return { deliveryUnproven: true, hasGap, kind: this.#replaceToPod(index, attachments).kind };
  }

  /** The new attachment starts before the old one stops: packets between are counted twice, and none is missed. */
  #replaceToPod(index: number, attachments: InterfaceAttachments): Attachment {
    const before = attachments['to-pod'];
    attachments['to-pod'] = undefined; // stays so if attaching fails: the old program's counts prove no delivery
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
    if (position === 'after others') {
      if (chainHead.moves >= maxMoves)
        throw new Error('another program attaches itself in front of ours again and again');
      chainHead.moves += 1;
    }
    const { kind } = this.#moveToFront(index, attachments);
    chainHead.isOurs = this.#others.position(index, 'from-pod') === 'first';
    return { deliveryUnproven: false, hasGap: position === 'absent', kind };
  }

  /** A TCX hook accepts each program only once, so there is a gap of some microseconds. */
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

  #attachTc(index: number, direction: PodDirection): Attachment {
    const attach = this.#tcKind === 'tcx' ? attachTcx : attachClsact;
    return attach(this.#programs[direction], index, direction);
  }

  #prepareTc(index: number, direction: PodDirection): PreparedAttachment {
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

/** Waits while watching: the next attachment there would take a later detach for a change by another program. */
function detachAll(attachments: InterfaceAttachments, when: 'while watching' | 'at the end'): void {
  for (const attachment of new Set([attachments['from-pod'], attachments['to-pod']])) {
    if (when === 'at the end') attachment?.detachInBackground();
    else attachment?.detach();
  }
  attachments['from-pod'] = attachments['to-pod'] = undefined;
}
