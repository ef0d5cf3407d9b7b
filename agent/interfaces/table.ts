// The interfaces that this agent watches, with the addresses and the pod behind each: what the collector is told, so
// that silence at an interface can speak. What is gone stays for a while: its last records are still on their way.
import type { Address } from '../../model/address.ts';
import type { WireInterface } from '../../proto/wire.ts';

/** `appearedUs` is 0 where it was there before the agent. */
export type Link = { index: number; name: string; netnsid: number; appearedUs: number };

/** Addresses in the namespace that is known here by the id; empty where it has none yet. */
export type AddressesOf = (netnsid: number) => Address[];

/** False for a direction in which silence means nothing; and since when nothing was missed, 0 where nothing ever was. */
export type Visible = (index: number) => { fromPod: boolean; toPod: boolean; wholeSinceUs: number };

/** What tells which pod stands behind it. */
export type PresentInterface = { index: number; appearedUs: number; addresses: readonly Address[] };

type Row = Omit<WireInterface, 'addresses'> & {
  addresses: Address[];
  netnsid: number;
  appearedUs: number;
  askedUs: number;
};

const goneKeptUs = 30_000_000;
/** A new interface gets its addresses within milliseconds; a pod rarely gets another one later. */
const askAgainUs = { young: 0, old: 15_000_000, youngFor: 10_000_000 };

export class InterfaceTable {
  readonly #rows = new Map<number, Row>();
  readonly #addressesOf: AddressesOf;
  readonly #visible: Visible;
  #wire: WireInterface[] | undefined;
  /** Links that the source could not watch, by index. */
  readonly #refused = new Map<number, { name: string; why: string }>();
  #notWatched: string[] = [];

  constructor(addressesOf: AddressesOf, visible: Visible) {
    this.#addressesOf = addressesOf;
    this.#visible = visible;
  }

  /** The source cannot watch it. Returns whether that is news. */
  refused(link: Link, why: string): boolean {
    if (this.#refused.get(link.index)?.why === why) return false;
    this.#refused.set(link.index, { name: link.name, why });
    this.#notWatched = this.#refusedNames();
    return true;
  }

  appeared(link: Link, watchedSinceUs: number): void {
    this.#notRefused(link.index);
    this.#rows.set(link.index, {
      index: link.index,
      name: link.name,
      netnsid: link.netnsid,
      appearedUs: link.appearedUs,
      podUid: '',
      addresses: [],
      watchedSinceUs,
      seesFromPod: true,
      seesToPod: true,
      askedUs: 0,
      goneUs: 0,
      wholeSinceUs: 0,
    });
    this.#wire = undefined;
  }

  disappeared(index: number, nowUs: number): void {
    this.#notRefused(index);
    const row = this.#rows.get(index);
    if (row === undefined) return;
    row.goneUs = nowUs;
    this.#wire = undefined;
  }

  /** Asks for addresses where they are due, and drops what is long gone. */
  refresh(nowUs: number): void {
    for (const row of this.#rows.values()) {
      if (row.goneUs > 0) {
        if (nowUs - row.goneUs > goneKeptUs) this.#forget(row.index);
        continue;
      }
      this.#learnAddresses(row, nowUs);
      this.#learnVisible(row);
    }
  }

  /** What is there now, for binding pods to it. */
  present(): PresentInterface[] {
    return [...this.#rows.values()].filter((row) => row.goneUs === 0);
  }

  learnPods(podAt: (index: number) => string): void {
    for (const row of this.#rows.values()) {
      const uid = row.goneUs > 0 ? row.podUid : podAt(row.index);
      if (uid === row.podUid) continue;
      row.podUid = uid;
      this.#wire = undefined;
    }
  }

  /** The same array as long as nothing changed. In the order of their index: a later one has the address now. */
  wire(): WireInterface[] {
    this.#wire ??= [...this.#rows.values()]
      .sort((a, b) => a.index - b.index)
      .map(({ netnsid: _, appearedUs: __, askedUs: ___, ...told }) => told);
    return this.#wire;
  }

  /** Names of links that the source cannot watch: the same array as long as nothing changed. */
  notWatched(): string[] {
    return this.#notWatched;
  }

  #notRefused(index: number): void {
    if (this.#refused.delete(index)) this.#notWatched = this.#refusedNames();
  }

  #refusedNames(): string[] {
    return [...this.#refused.values()].map(({ name }) => name).sort();
  }

  #learnAddresses(row: Row, nowUs: number): void {
    const young = nowUs - row.watchedSinceUs < askAgainUs.youngFor && row.addresses.length === 0;
    if (nowUs - row.askedUs < (young ? askAgainUs.young : askAgainUs.old)) return;
    row.askedUs = nowUs;
    const addresses = this.#addressesOf(row.netnsid);
    if (addresses.join() === row.addresses.join()) return;
    row.addresses = addresses;
    this.#wire = undefined;
  }

  /** Silence means nothing in a direction that is not seen. */
  #learnVisible(row: Row): void {
    const { fromPod: seesFromPod, toPod: seesToPod, wholeSinceUs } = this.#visible(row.index);
    const isSame = seesFromPod === row.seesFromPod && seesToPod === row.seesToPod;
    if (isSame && wholeSinceUs <= row.wholeSinceUs) return;
    row.seesFromPod = seesFromPod;
    row.seesToPod = seesToPod;
    row.wholeSinceUs = Math.max(row.wholeSinceUs, wholeSinceUs);
    this.#wire = undefined;
  }

  #forget(index: number): void {
    this.#rows.delete(index);
    this.#wire = undefined;
  }
}
