// The interfaces that this agent watches, with the addresses and the pod behind each. With them the collector knows
// which packets the agent would have seen. An interface that is gone is kept for 30 s, because its last records are
// still sent.
import type { Address } from '../../model/address.ts';
import type { WireInterface } from '../../proto/wire.ts';
import type { PodAddresses } from './peer-addresses.ts';

/**
 * `peerIndex`: in the pod's namespace; 0: unknown. `appearedUs` is 0 if it existed before the agent started. `noticedUs` is when the kernel reported a change of the links
 * that may be this one; missing if it reported none.
 */
export type Link = {
  index: number;
  name: string;
  netnsid: number;
  peerIndex: number;
  appearedUs: number;
  noticedUs?: number;
};

export type AddressesOf = (link: { netnsid: number; peerIndex: number }) => PodAddresses;

/**
 * False for a direction that is not (fully) seen; and the time since which no packet was missed, 0 if none ever was.
 */
export type VisibilityOf = (index: number) => { fromPod: boolean; toPod: boolean; gapFreeSinceUs: number };

/** What pods/ needs to find the pod behind it. */
export type PresentInterface = { index: number; appearedUs: number; addresses: readonly Address[] };

type InterfaceRow = Omit<WireInterface, 'addresses'> & {
  addresses: Address[];
  linkAddress: Buffer | undefined;
  netnsid: number;
  peerIndex: number;
  appearedUs: number;
  addressesReadUs: number;
};

const goneRetentionUs = 30_000_000;
/** A new interface gets its addresses within milliseconds; a pod rarely gets another one later. */
const addressRefreshUs = { young: 0, old: 15_000_000, youngFor: 10_000_000 };

export class InterfaceTable {
  readonly #rows = new Map<number, InterfaceRow>();
  readonly #addressesOf: AddressesOf;
  readonly #visibilityOf: VisibilityOf;
  readonly #onAddresses: (index: number, addresses: PodAddresses) => void;
  #wire: WireInterface[] | undefined;
  /** Links that the source could not watch, by index. */
  readonly #unwatched = new Map<number, { name: string; reason: string }>();
  #notWatched: string[] = [];

  /** `onAddresses` is called whenever the addresses of an interface changed. */
  constructor(
    addressesOf: AddressesOf,
    visibilityOf: VisibilityOf,
    onAddresses: (index: number, addresses: PodAddresses) => void,
  ) {
    this.#addressesOf = addressesOf;
    this.#visibilityOf = visibilityOf;
    this.#onAddresses = onAddresses;
  }

  /** The source cannot watch it. Returns whether that, or the reason, is new. */
  markUnwatched(link: Link, reason: string): boolean {
    if (this.#unwatched.get(link.index)?.reason === reason) return false;
    this.#unwatched.set(link.index, { name: link.name, reason });
    this.#notWatched = this.#unwatchedNames();
    return true;
  }

  appeared(link: Link, watchedSinceUs: number): void {
    this.#clearUnwatched(link.index);
    this.#rows.set(link.index, {
      index: link.index,
      name: link.name,
      netnsid: link.netnsid,
      peerIndex: link.peerIndex,
      linkAddress: undefined,
      appearedUs: link.appearedUs,
      podUid: '',
      addresses: [],
      watchedSinceUs,
      seesFromPod: true,
      seesToPod: true,
      addressesReadUs: 0,
      goneUs: 0,
      gapFreeSinceUs: 0,
    });
    this.#wire = undefined;
  }

  disappeared(index: number, nowUs: number): void {
    this.#clearUnwatched(index);
    const row = this.#rows.get(index);
    if (row === undefined) return;
    row.goneUs = nowUs;
    this.#wire = undefined;
  }

  /** Reads addresses that are due, and drops interfaces that are gone long enough. */
  refresh(nowUs: number): void {
    for (const row of this.#rows.values()) {
      if (row.goneUs > 0) {
        if (nowUs - row.goneUs > goneRetentionUs) this.#forget(row.index);
        continue;
      }
      this.#updateAddresses(row, nowUs);
      this.#updateVisibility(row);
    }
  }

  /** Undefined if it is gone for longer than its records may take. */
  at(index: number): { name: string; podUid: string } | undefined {
    const row = this.#rows.get(index);
    return row && { name: row.name, podUid: row.podUid };
  }

  /** Interfaces that exist now. */
  present(): PresentInterface[] {
    return [...this.#rows.values()].filter((row) => row.goneUs === 0);
  }

  updatePods(podAt: (index: number) => string): void {
    for (const row of this.#rows.values()) {
      const uid = row.goneUs > 0 ? row.podUid : podAt(row.index);
      if (uid === row.podUid) continue;
      row.podUid = uid;
      this.#wire = undefined;
    }
  }

  /** The same array as long as nothing changed. Sorted by index: if two have one address, the later one has it now. */
  wire(): WireInterface[] {
    this.#wire ??= [...this.#rows.values()]
      .sort((a, b) => a.index - b.index)
      .map(
        ({ netnsid: _, peerIndex: __, linkAddress: ___, appearedUs: ____, addressesReadUs: _____, ...wire }) => wire,
      );
    return this.#wire;
  }

  /** Names of links that the source cannot watch; the same array as long as nothing changed. */
  notWatched(): string[] {
    return this.#notWatched;
  }

  #clearUnwatched(index: number): void {
    if (this.#unwatched.delete(index)) this.#notWatched = this.#unwatchedNames();
  }

  #unwatchedNames(): string[] {
    return [...this.#unwatched.values()].map(({ name }) => name).sort();
  }

  #updateAddresses(row: InterfaceRow, nowUs: number): void {
    const young = nowUs - row.watchedSinceUs < addressRefreshUs.youngFor && row.addresses.length === 0;
    if (nowUs - row.addressesReadUs < (young ? addressRefreshUs.young : addressRefreshUs.old)) return;
    row.addressesReadUs = nowUs;
    const { addresses, linkAddress } = this.#addressesOf(row);
    const isSame = addresses.join() === row.addresses.join();
    if (isSame && linkAddress?.toString('hex') === row.linkAddress?.toString('hex')) return;
    row.addresses = [...addresses];
    row.linkAddress = linkAddress;
    if (!isSame) this.#wire = undefined;
    this.#onAddresses(row.index, { addresses, linkAddress });
  }

  #updateVisibility(row: InterfaceRow): void {
    const { fromPod: seesFromPod, toPod: seesToPod, gapFreeSinceUs } = this.#visibilityOf(row.index);
    const isSame = seesFromPod === row.seesFromPod && seesToPod === row.seesToPod;
    if (isSame && gapFreeSinceUs <= row.gapFreeSinceUs) return;
    row.seesFromPod = seesFromPod;
    row.seesToPod = seesToPod;
    row.gapFreeSinceUs = Math.max(row.gapFreeSinceUs, gapFreeSinceUs);
    this.#wire = undefined;
  }

  #forget(index: number): void {
    this.#rows.delete(index);
    this.#wire = undefined;
  }
}
