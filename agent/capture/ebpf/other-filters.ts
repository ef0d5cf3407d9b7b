// Finds other TC/TCX programs on the interface: TCX programs, clsact filters, root qdiscs. Towards a pod they may drop packets
// that our program has counted, or end the chain before it runs. From a pod, a program in front of ours may drop packets
// that ours never sees. Each refresh queries TCX. rtnetlink reports changes of the rest, and all of it is re-read regularly.
import { ownFilter } from '../clsact.ts';
import type { PodDirection } from '../source.ts';
import { type TcKind, tcxPrograms } from './attach.ts';
import { isNoopProgram } from './noop-program.ts';
import { messageTypes, parents, TcClient, type TcMessage, TcMonitor } from './traffic-control.ts';

/** The position of our program at its hook. */
export type ChainPosition = 'first' | 'after others' | 'absent';

export type ChainChange = 'no' | 'after ours' | 'before or after ours';

/** clsact filters. */
type FiltersByDirection = Record<PodDirection, { ours: ChainPosition; others: boolean }>;

/** TCX programs in order, and the revision of that list. */
type ProgramChain = { ids: readonly number[]; revision: bigint };

const emptyChain: ProgramChain = { ids: [], revision: 0n };
const parentOf = { 'from-pod': parents.ingress, 'to-pod': parents.egress } as const;
/** A notification may be missing, so this many refreshes together re-read everything once. */
const refreshesPerFullRead = 50;

export class OtherFilters {
  readonly #tcKind: TcKind;
  readonly #own: Readonly<Record<PodDirection, number>>;
  readonly #client = new TcClient();
  readonly #monitor: Pick<TcMonitor, 'read' | 'close'>;
  /** TCX programs by interface, cached until the next refresh. */
  readonly #programs: Readonly<Record<PodDirection, Map<number, ProgramChain>>> = {
    'from-pod': new Map(),
    'to-pod': new Map(),
  };
  /** By interface, in the order in which they were read. */
  readonly #filters = new Map<number, FiltersByDirection>();
  /** Interfaces whose qdisc may drop packets after TC; undefined until they are read again. */
  #interfacesThatQueue: ReadonlySet<number> | undefined;
  /** The TCX revision towards the pod, for each watched interface. */
  readonly #revisions = new Map<number, bigint>();
  readonly #changed = new Set<number>();
  #refreshes = 0;
  /** Each refresh adds 1 for each interface. Each `refreshesPerFullRead` of it means one interface to re-read. */
  #readBacklog = 0;

  /** `own`: the ids of our programs. */
  constructor(
    tcKind: TcKind,
    own: Readonly<Record<PodDirection, number>>,
    monitor: Pick<TcMonitor, 'read' | 'close'> = new TcMonitor(),
  ) {
    this.#tcKind = tcKind;
    this.#own = own;
    this.#monitor = monitor;
  }

  /** Whether another program may drop packets that enter the pod. */
  isFilteredTowardsPod(interfaceIndex: number): boolean {
    const { ids } = this.#programsAt(interfaceIndex, 'to-pod');
    if (ids.some((id) => id !== this.#own['to-pod'])) return true;
    this.#interfacesThatQueue ??= interfacesThatQueue(this.#client.qdiscs());
    return this.#interfacesThatQueue.has(interfaceIndex) || this.#filtersAt(interfaceIndex)['to-pod'].others;
  }

  position(interfaceIndex: number, direction: PodDirection): ChainPosition {
    if (this.#tcKind === 'clsact') return this.#filtersAt(interfaceIndex)[direction].ours;
    return positionOf(this.#programsAt(interfaceIndex, direction).ids.indexOf(this.#own[direction]));
  }

  /**
   * Whether a program towards the pod, ours included, was added or removed since the last call. Even if the programs are the
   * same as before, one may have dropped packets meanwhile or ended the chain before ours ran.
   */
  changed(interfaceIndex: number): ChainChange {
    const { ids, revision } = this.#programsAt(interfaceIndex, 'to-pod');
    const before = this.#revisions.get(interfaceIndex) ?? revision;
    this.#revisions.set(interfaceIndex, revision);
    const isReported = this.#changed.delete(interfaceIndex);
    // After a single change that left ours first, no program was in front of it.
    const isSingleAppend = revision === before + 1n && ids[0] === this.#own['to-pod'];
    if (revision !== before && !isSingleAppend) return 'before or after ours';
    if (revision === before && !isReported) return 'no';
    return this.#tcKind === 'tcx' ? 'after ours' : 'before or after ours'; // TCX runs before clsact and qdiscs
  }

  /** Drops what is cached and may have changed. */
  refresh(): void {
    for (const programs of Object.values(this.#programs)) programs.clear();
    this.#expireOldest();
    const result = this.#monitor.read((message) => this.#noteChange(message));
    if (result === 'complete') return;
    this.#filters.clear();
    this.#interfacesThatQueue = undefined;
    for (const index of this.#revisions.keys()) this.#changed.add(index);
  }

  /** Drops what is cached of the interface, because we changed it ourselves. */
  invalidate(interfaceIndex: number): void {
    this.#filters.delete(interfaceIndex);
    for (const programs of Object.values(this.#programs)) programs.delete(interfaceIndex);
  }

  forget(interfaceIndex: number): void {
    this.invalidate(interfaceIndex);
    this.#revisions.delete(interfaceIndex);
    this.#changed.delete(interfaceIndex);
  }

  close(): void {
    this.#client.close();
    this.#monitor.close();
  }

  #expireOldest(): void {
    this.#refreshes += 1;
    if (this.#refreshes % refreshesPerFullRead === 0) this.#interfacesThatQueue = undefined;
    this.#readBacklog += this.#filters.size;
    for (const index of this.#filters.keys()) {
      if (this.#readBacklog < refreshesPerFullRead) return;
      this.#readBacklog -= refreshesPerFullRead;
      this.#filters.delete(index);
    }
  }

  /** A filter of a shared block names no interface; the qdisc of the interface shows that it has such a block. */
  #noteChange(message: TcMessage): void {
    const { type, interfaceIndex } = message;
    this.#filters.delete(interfaceIndex);
    if (type === messageTypes.newQdisc || type === messageTypes.deletedQdisc) this.#interfacesThatQueue = undefined;
    if (this.#revisions.has(interfaceIndex) && mayDrop(message)) this.#changed.add(interfaceIndex);
  }

  #programsAt(interfaceIndex: number, direction: PodDirection): ProgramChain {
    const cached = this.#programs[direction].get(interfaceIndex);
    if (cached !== undefined) return cached;
    const current = programsAt(interfaceIndex, direction);
    this.#programs[direction].set(interfaceIndex, current);
    return current;
  }

  #filtersAt(interfaceIndex: number): FiltersByDirection {
    const cached = this.#filters.get(interfaceIndex);
    if (cached !== undefined) return cached;
    const current = {
      'from-pod': this.#readFilters(interfaceIndex, 'from-pod'),
      'to-pod': this.#readFilters(interfaceIndex, 'to-pod'),
    };
    this.#filters.set(interfaceIndex, current);
    return current;
  }

  #readFilters(interfaceIndex: number, direction: PodDirection): FiltersByDirection[PodDirection] {
    const all = this.#client.filters(interfaceIndex, parentOf[direction]);
    // Filters of other chains run only if a filter of chain 0 jumps there.
    const first = all.filter((message) => message.chain === 0 && message.handle !== 0);
    return {
      ours: positionOf(first.findIndex((message) => isOwn(message, direction))),
      others: all.some((message) => !isOwn(message, direction)),
    };
  }
}

/** Empty on kernels without TCX, and if the interface is gone. Without our own no-op programs. */
function programsAt(interfaceIndex: number, direction: PodDirection): ProgramChain {
  try {
    const { ids, revision } = tcxPrograms(interfaceIndex, direction);
    return { ids: ids.filter((id) => !isNoopProgram(id)), revision };
  } catch {
    return emptyChain;
  }
}

function positionOf(at: number): ChainPosition {
  if (at < 0) return 'absent';
  return at === 0 ? 'first' : 'after others';
}

/** A root qdisc and its filters run after TC. veth and netkit have none by default. */
function interfacesThatQueue(qdiscs: readonly TcMessage[]): ReadonlySet<number> {
  return new Set(qdiscs.filter(mayDropAfterTc).map(({ interfaceIndex }) => interfaceIndex));
}

function mayDropAfterTc({ parent, kind, hasEgressBlock }: TcMessage): boolean {
  return hasEgressBlock || (parent === parents.root && kind !== 'noqueue');
}

/** Whether the message reports a filter or qdisc towards the pod that was added or removed. */
function mayDrop(message: TcMessage): boolean {
  switch (message.type) {
    case messageTypes.deletedQdisc:
      return true;
    case messageTypes.newQdisc:
      return mayDropAfterTc(message);
    case messageTypes.newFilter:
    case messageTypes.deletedFilter:
      return message.parent === parents.egress && !isOwn(message, 'to-pod');
    default:
      return false;
  }
}

/** Handle 0 means all filters of a priority. */
function isOwn({ handle, priority }: TcMessage, direction: PodDirection): boolean {
  const own = ownFilter(direction);
  return priority === own.priority && (handle === 0 || handle === own.handle);
}
