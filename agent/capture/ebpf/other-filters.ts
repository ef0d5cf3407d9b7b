// Who else filters where ours stands. Towards a pod any of them may drop what ours has counted, or end the chain before ours
// runs: TCX programs, filters of clsact, a qdisc at the root. From a pod whoever stands ahead may drop what ours never sees.
// TCX is asked at each look; rtnetlink reports changes of the rest, and is asked for all of it from time to time too.
import { ownFilter } from '../clsact.ts';
import type { Direction } from '../source.ts';
import { type TcKind, tcxPrograms } from './attach.ts';
import { isNoopProgram } from './noop-program.ts';
import { messageTypes, parents, TcClient, type TcMessage, TcMonitor } from './traffic-control.ts';

/** Where ours is among those of its hook. */
export type ChainPosition = 'first' | 'behind others' | 'absent';

export type ChainChange = 'no' | 'behind' | 'ahead or behind';

/** Filters of clsact. */
type FiltersByDirection = Record<Direction, { ours: ChainPosition; others: boolean }>;

/** In their order, and of which revision. */
type ProgramChain = { ids: readonly number[]; revision: bigint };

const emptyChain: ProgramChain = { ids: [], revision: 0n };
const parentOf = { 'from-pod': parents.ingress, 'to-pod': parents.egress } as const;
/** That a change is told is not certain: so many looks ask for everything once. */
const refreshesPerFullRead = 50;

export class OtherFilters {
  readonly #tcKind: TcKind;
  readonly #own: Readonly<Record<Direction, number>>;
  readonly #client = new TcClient();
  readonly #monitor: Pick<TcMonitor, 'read' | 'close'>;
  /** Of TCX, by interface, since the last look. */
  readonly #programs: Readonly<Record<Direction, Map<number, ProgramChain>>> = {
    'from-pod': new Map(),
    'to-pod': new Map(),
  };
  /** By interface, in the order in which they were asked. */
  readonly #filters = new Map<number, FiltersByDirection>();
  /** Interfaces at which a qdisc may drop what has passed TC; undefined until it is asked again. */
  #interfacesThatQueue: ReadonlySet<number> | undefined;
  /** Of TCX towards the pod, of each interface that is watched. */
  readonly #revisions = new Map<number, bigint>();
  readonly #changed = new Set<number>();
  #refreshes = 0;
  /** Interfaces whose turn it is to be asked again, in parts of which `looksToAskAll` are one. */
  #readBacklog = 0;

  /** `own`: the kernel's numbers of our programs for `hook`. */
  constructor(
    tcKind: TcKind,
    own: Readonly<Record<Direction, number>>,
    monitor: Pick<TcMonitor, 'read' | 'close'> = new TcMonitor(),
  ) {
    this.#tcKind = tcKind;
    this.#own = own;
    this.#monitor = monitor;
  }

  /** Whether anyone else may drop packets where they enter the pod. */
  isFilteredTowardsPod(interfaceIndex: number): boolean {
    const { ids } = this.#programsAt(interfaceIndex, 'to-pod');
    if (ids.some((id) => id !== this.#own['to-pod'])) return true;
    this.#interfacesThatQueue ??= interfacesThatQueue(this.#client.qdiscs());
    return this.#interfacesThatQueue.has(interfaceIndex) || this.#filtersAt(interfaceIndex)['to-pod'].others;
  }

  position(interfaceIndex: number, direction: Direction): ChainPosition {
    if (this.#tcKind === 'clsact') return this.#filtersAt(interfaceIndex)[direction].ours;
    return positionOf(this.#programsAt(interfaceIndex, direction).ids.indexOf(this.#own[direction]));
  }

  /**
   * Whether anyone came or went towards the pod since this was asked last, or ours did: who is there now may be as it was
   * before, and still somebody dropped what ours has counted, or ended the chain before ours ran.
   */
  changed(interfaceIndex: number): ChainChange {
    const { ids, revision } = this.#programsAt(interfaceIndex, 'to-pod');
    const before = this.#revisions.get(interfaceIndex) ?? revision;
    this.#revisions.set(interfaceIndex, revision);
    const isReported = this.#changed.delete(interfaceIndex);
    // Of a single change that left ours first, as it was, nobody was ahead.
    const isSingleAppend = revision === before + 1n && ids[0] === this.#own['to-pod'];
    if (revision !== before && !isSingleAppend) return 'ahead or behind';
    if (revision === before && !isReported) return 'no';
    return this.#tcKind === 'tcx' ? 'behind' : 'ahead or behind'; // TCX runs before clsact and qdiscs
  }

  /** Forgets what was asked where it changed since. */
  refresh(): void {
    for (const programs of Object.values(this.#programs)) programs.clear();
    this.#expireOldest();
    const result = this.#monitor.read((message) => this.#noteChange(message));
    if (result === 'complete') return;
    this.#filters.clear();
    this.#interfacesThatQueue = undefined;
    for (const index of this.#revisions.keys()) this.#changed.add(index);
  }

  /** What was asked of it does not hold any more: we changed it ourselves. */
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

  /** A filter of a shared block is of no interface: one that has such a block is known by its qdisc. */
  #noteChange(message: TcMessage): void {
    const { type, interfaceIndex } = message;
    this.#filters.delete(interfaceIndex);
    if (type === messageTypes.newQdisc || type === messageTypes.deletedQdisc) this.#interfacesThatQueue = undefined;
    if (this.#revisions.has(interfaceIndex) && mayDrop(message)) this.#changed.add(interfaceIndex);
  }

  #programsAt(interfaceIndex: number, direction: Direction): ProgramChain {
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

  #readFilters(interfaceIndex: number, direction: Direction): FiltersByDirection[Direction] {
    const all = this.#client.filters(interfaceIndex, parentOf[direction]);
    // Those of other chains run only where one of the first says so.
    const first = all.filter((message) => message.chain === 0 && message.handle !== 0);
    return {
      ours: positionOf(first.findIndex((message) => isOwn(message, direction))),
      others: all.some((message) => !isOwn(message, direction)),
    };
  }
}

/** None on kernels without TCX, and where the interface is gone. What comes and leaves of ours does nothing. */
function programsAt(interfaceIndex: number, direction: Direction): ProgramChain {
  try {
    const { ids, revision } = tcxPrograms(interfaceIndex, direction);
    return { ids: ids.filter((id) => !isNoopProgram(id)), revision };
  } catch {
    return emptyChain;
  }
}

function positionOf(at: number): ChainPosition {
  if (at < 0) return 'absent';
  return at === 0 ? 'first' : 'behind others';
}

/** A root qdisc comes after TC, and filters of its own with it; veth and netkit have none by themselves. */
function interfacesThatQueue(qdiscs: readonly TcMessage[]): ReadonlySet<number> {
  return new Set(qdiscs.filter(mayDropAfterTc).map(({ interfaceIndex }) => interfaceIndex));
}

function mayDropAfterTc({ parent, kind, hasEgressBlock }: TcMessage): boolean {
  return hasEgressBlock || (parent === parents.root && kind !== 'noqueue');
}

/** A filter or qdisc towards the pod that came or went. */
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

/** Handle 0 is of all filters of a priority. */
function isOwn({ handle, priority }: TcMessage, direction: Direction): boolean {
  const own = ownFilter(direction);
  return priority === own.priority && (handle === 0 || handle === own.handle);
}
