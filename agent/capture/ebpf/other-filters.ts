// Who else filters where ours stands. Towards a pod any of them may drop what ours has counted, or end the chain before ours
// runs: TCX programs, filters of clsact, a qdisc at the root. From a pod whoever stands ahead may drop what ours never sees.
// TCX is asked at each look; rtnetlink reports changes of the rest, and is asked for all of it from time to time too.
import { type Direction, ownFilter } from '../clsact.ts';
import { type TcHook, tcxPrograms } from './attach.ts';
import { isSilent } from './silent.ts';
import { messageTypes, parents, TcClient, type TcMessage, TcMonitor } from './traffic-control.ts';

/** Where ours is among those of its hook. */
export type Place = 'first' | 'behind others' | 'absent';

export type Changed = 'no' | 'behind' | 'ahead or behind';

/** Filters of clsact. */
type Filters = Record<Direction, { ours: Place; others: boolean }>;

/** In their order, and of which revision. */
type Programs = { ids: readonly number[]; revision: bigint };

const none: Programs = { ids: [], revision: 0n };
const parentOf = { 'from-pod': parents.ingress, 'to-pod': parents.egress } as const;
/** That a change is told is not certain: so many looks ask for everything once. */
const looksToAskAll = 50;

export class OtherFilters {
  readonly #hook: TcHook;
  readonly #own: Readonly<Record<Direction, number>>;
  readonly #client = new TcClient();
  readonly #monitor: Pick<TcMonitor, 'read' | 'close'>;
  /** Of TCX, by interface, since the last look. */
  readonly #programs: Readonly<Record<Direction, Map<number, Programs>>> = {
    'from-pod': new Map(),
    'to-pod': new Map(),
  };
  /** By interface, in the order in which they were asked. */
  readonly #filters = new Map<number, Filters>();
  /** Interfaces at which a qdisc may drop what has passed TC; undefined until it is asked again. */
  #queueing: ReadonlySet<number> | undefined;
  /** Of TCX towards the pod, of each interface that is watched. */
  readonly #revisions = new Map<number, bigint>();
  readonly #changed = new Set<number>();
  #looks = 0;
  /** Interfaces whose turn it is to be asked again, in parts of which `looksToAskAll` are one. */
  #toAskAgain = 0;

  /** `own`: the kernel's numbers of our programs for `hook`. */
  constructor(
    hook: TcHook,
    own: Readonly<Record<Direction, number>>,
    monitor: Pick<TcMonitor, 'read' | 'close'> = new TcMonitor(),
  ) {
    this.#hook = hook;
    this.#own = own;
    this.#monitor = monitor;
  }

  /** Whether anyone else may drop packets where they enter the pod. */
  towardsPod(interfaceIndex: number): boolean {
    const { ids } = this.#programsAt(interfaceIndex, 'to-pod');
    if (ids.some((id) => id !== this.#own['to-pod'])) return true;
    this.#queueing ??= queueing(this.#client.qdiscs());
    return this.#queueing.has(interfaceIndex) || this.#filtersAt(interfaceIndex)['to-pod'].others;
  }

  place(interfaceIndex: number, direction: Direction): Place {
    if (this.#hook === 'clsact') return this.#filtersAt(interfaceIndex)[direction].ours;
    return placeOf(this.#programsAt(interfaceIndex, direction).ids.indexOf(this.#own[direction]));
  }

  /**
   * Whether anyone came or went towards the pod since this was asked last, or ours did: who is there now may be as it was
   * before, and still somebody dropped what ours has counted, or ended the chain before ours ran.
   */
  changed(interfaceIndex: number): Changed {
    const { ids, revision } = this.#programsAt(interfaceIndex, 'to-pod');
    const before = this.#revisions.get(interfaceIndex) ?? revision;
    this.#revisions.set(interfaceIndex, revision);
    const isTold = this.#changed.delete(interfaceIndex);
    // Of a single change that left ours first, as it was, nobody was ahead.
    const isOneBehind = revision === before + 1n && ids[0] === this.#own['to-pod'];
    if (revision !== before && !isOneBehind) return 'ahead or behind';
    if (revision === before && !isTold) return 'no';
    return this.#hook === 'tcx' ? 'behind' : 'ahead or behind'; // TCX runs before clsact and qdiscs
  }

  /** Forgets what was asked where it changed since. */
  refresh(): void {
    for (const programs of Object.values(this.#programs)) programs.clear();
    this.#forgetOldest();
    const result = this.#monitor.read((message) => this.#noteChange(message));
    if (result === 'complete') return;
    this.#filters.clear();
    this.#queueing = undefined;
    for (const index of this.#revisions.keys()) this.#changed.add(index);
  }

  /** What was asked of it does not hold any more: we changed it ourselves. */
  askAgain(interfaceIndex: number): void {
    this.#filters.delete(interfaceIndex);
    for (const programs of Object.values(this.#programs)) programs.delete(interfaceIndex);
  }

  forget(interfaceIndex: number): void {
    this.askAgain(interfaceIndex);
    this.#revisions.delete(interfaceIndex);
    this.#changed.delete(interfaceIndex);
  }

  close(): void {
    this.#client.close();
    this.#monitor.close();
  }

  #forgetOldest(): void {
    this.#looks += 1;
    if (this.#looks % looksToAskAll === 0) this.#queueing = undefined;
    this.#toAskAgain += this.#filters.size;
    for (const index of this.#filters.keys()) {
      if (this.#toAskAgain < looksToAskAll) return;
      this.#toAskAgain -= looksToAskAll;
      this.#filters.delete(index);
    }
  }

  /** A filter of a shared block is of no interface: one that has such a block is known by its qdisc. */
  #noteChange(message: TcMessage): void {
    const { type, interfaceIndex } = message;
    this.#filters.delete(interfaceIndex);
    if (type === messageTypes.newQdisc || type === messageTypes.deletedQdisc) this.#queueing = undefined;
    if (this.#revisions.has(interfaceIndex) && mayDrop(message)) this.#changed.add(interfaceIndex);
  }

  #programsAt(interfaceIndex: number, direction: Direction): Programs {
    const known = this.#programs[direction].get(interfaceIndex);
    if (known !== undefined) return known;
    const found = programsAt(interfaceIndex, direction);
    this.#programs[direction].set(interfaceIndex, found);
    return found;
  }

  #filtersAt(interfaceIndex: number): Filters {
    const known = this.#filters.get(interfaceIndex);
    if (known !== undefined) return known;
    const found = { 'from-pod': this.#ask(interfaceIndex, 'from-pod'), 'to-pod': this.#ask(interfaceIndex, 'to-pod') };
    this.#filters.set(interfaceIndex, found);
    return found;
  }

  #ask(interfaceIndex: number, direction: Direction): Filters[Direction] {
    const all = this.#client.filters(interfaceIndex, parentOf[direction]);
    // Those of other chains run only where one of the first says so.
    const first = all.filter((message) => message.chain === 0 && message.handle !== 0);
    return {
      ours: placeOf(first.findIndex((message) => isOwn(message, direction))),
      others: all.some((message) => !isOwn(message, direction)),
    };
  }
}

/** None on kernels without TCX, and where the interface is gone. What comes and leaves of ours does nothing. */
function programsAt(interfaceIndex: number, direction: Direction): Programs {
  try {
    const { ids, revision } = tcxPrograms(interfaceIndex, direction);
    return { ids: ids.filter((id) => !isSilent(id)), revision };
  } catch {
    return none;
  }
}

function placeOf(at: number): Place {
  if (at < 0) return 'absent';
  return at === 0 ? 'first' : 'behind others';
}

/** A root qdisc comes after TC, and filters of its own with it; veth and netkit have none by themselves. */
function queueing(qdiscs: readonly TcMessage[]): ReadonlySet<number> {
  return new Set(qdiscs.filter(isInTheWay).map(({ interfaceIndex }) => interfaceIndex));
}

function isInTheWay({ parent, kind, hasEgressBlock }: TcMessage): boolean {
  return hasEgressBlock || (parent === parents.root && kind !== 'noqueue');
}

/** A filter or qdisc towards the pod that came or went. */
function mayDrop(message: TcMessage): boolean {
  switch (message.type) {
    case messageTypes.deletedQdisc:
      return true;
    case messageTypes.newQdisc:
      return isInTheWay(message);
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
