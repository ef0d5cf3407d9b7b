// What the agent saw or missed and has in no connection record, by interface. While a table or buffer is full there is a
// gap in the coverage: it has the sums of all interfaces. Packets that cannot be read are no gap; the interface has them.
import { type LossReason, lossReasons } from '../../accounting/reasons.ts';
import type { Unrecorded } from '../../model/unrecorded.ts';
import { remoteZoneNumber, unrecordedDirectionNumber } from '../../proto/unrecorded.ts';
import type { WireCoverage, WireGap, WireGapInterface, WireUnrecorded } from '../../proto/wire.ts';
import type { Holding } from './flows/table-shares.ts';

/** Losses that end only when somebody sends less, or a limit is raised. */
const gapReasons: ReadonlySet<LossReason> = new Set(['table-full', 'ring-full', 'kernel-buffer-full']);
/** A gap ends if nothing was lost for this time. */
const quietUs = 10_000_000;
/** How long the collector may doubt a connection because of a packet that could not be read. */
const unreadableKeptUs = 60_000_000;
/** Figures that grow are reported at this interval; new sums at once. */
const reportEveryUs = 1_000_000;
const maxEndedGaps = 4;
/** Interfaces that lost nothing are reported only if they are among those with the most unanswered connections. */
const maxOtherHolders = 3;
/** Sums of one interface. Beyond the first limit they have no port, beyond the second no protocol either. */
const maxSums = { withPort: 32, withProtocol: 64 };

/** `packets` are frames as the interface counts them. Times in µs since the epoch. */
export type LostPackets = { packets: number; bytes: number; firstUs: number; lastUs: number };

/** Receives what is in no record. */
export type UnrecordedSink = {
  add(interfaceIndex: number, reason: LossReason, of: Unrecorded, lost: LostPackets): void;
  /** A gap lasts, so it matters which interface has how many connections in the table. */
  readonly hasGap: boolean;
  observeTable(holdings: Iterable<Holding>): void;
};

/** For capture files, where nothing asks for it. */
export const ignoreUnrecorded: UnrecordedSink = { add: () => undefined, hasGap: false, observeTable: () => undefined };

const nothingLost: LostPackets = { packets: 0, bytes: 0, firstUs: Number.POSITIVE_INFINITY, lastUs: 0 };

type Sum = Unrecorded & LostPackets & { reason: LossReason };
/** By a number for each reason, direction, protocol, port and zone. */
type Sums = Map<number, Sum>;
type GapInterface = InterfaceName & { connections: number; unanswered: number; sums: Sums };
type Gap = { fromUs: number; untilUs: number; ended: boolean; interfaces: Map<number, GapInterface> };

export type InterfaceName = { name: string; podUid: string };

export class UnrecordedTraffic implements UnrecordedSink {
  readonly #gaps: Gap[] = [];
  readonly #unreadable = new Map<number, Sums>();
  #wire: WireCoverage = { gaps: [], unreadable: [] };
  #hasNewSum = false;
  #hasChanged = false;
  #reportedUs = 0;
  #reportedGap = false;

  add(interfaceIndex: number, reason: LossReason, of: Unrecorded, lost: LostPackets): void {
    if (lost.packets === 0) return;
    this.#hasChanged = true;
    if (!gapReasons.has(reason)) {
      const sums = this.#unreadable.get(interfaceIndex) ?? new Map<number, Sum>();
      this.#unreadable.set(interfaceIndex, sums);
      this.#addTo(sums, reason, of, lost);
      return;
    }
    const gap = this.#currentGap(lost);
    gap.fromUs = Math.min(gap.fromUs, lost.firstUs);
    gap.untilUs = Math.max(gap.untilUs, lost.lastUs);
    this.#addTo(interfaceOf(gap, interfaceIndex).sums, reason, of, lost);
  }

  get hasGap(): boolean {
    return this.#gaps.at(-1)?.ended === false;
  }

  /** The gap keeps the most that each interface had. */
  observeTable(holdings: Iterable<Holding>): void {
    const gap = this.#gaps.at(-1);
    if (gap === undefined || gap.ended) return;
    for (const { interfaceIndex, rows, unanswered } of holdings) {
      if (rows === 0) continue;
      const of = interfaceOf(gap, interfaceIndex);
      of.connections = Math.max(of.connections, rows);
      of.unanswered = Math.max(of.unanswered, unanswered);
    }
  }

  /** Ends gaps, and prepares what is reported if that is due. Returns whether a gap began or ended. */
  refresh(
    nowUs: number,
    nameOf: (interfaceIndex: number) => InterfaceName | undefined,
  ): 'began' | 'ended' | 'unchanged' {
    const gap = this.#gaps.at(-1);
    if (gap !== undefined && !gap.ended && nowUs - gap.untilUs > quietUs) {
      gap.ended = true;
      this.#hasNewSum = true;
    }
    this.#report(nowUs, nameOf);
    const hadGap = this.#reportedGap;
    this.#reportedGap = this.hasGap;
    if (hadGap === this.hasGap) return 'unchanged';
    return this.hasGap ? 'began' : 'ended';
  }

  #report(nowUs: number, nameOf: (interfaceIndex: number) => InterfaceName | undefined): void {
    this.#forgetUnreadable(nowUs);
    if (!this.#hasNewSum && !(this.#hasChanged && nowUs - this.#reportedUs >= reportEveryUs)) return;
    this.#hasNewSum = this.#hasChanged = false;
    this.#reportedUs = nowUs;
    for (const { interfaces } of this.#gaps) {
      // An interface that is gone keeps its name.
      for (const [index, of] of interfaces) Object.assign(of, nameOf(index));
    }
    this.#wire = {
      gaps: this.#gaps.map(wireGap),
      unreadable: [...this.#unreadable].map(([index, sums]) => ({ index, unrecorded: wireSums(sums) })),
    };
  }

  /** The same object as long as nothing changed. */
  wire(): WireCoverage {
    return this.#wire;
  }

  #currentGap({ firstUs, lastUs }: LostPackets): Gap {
    const last = this.#gaps.at(-1);
    if (last !== undefined && !last.ended) return last;
    const fresh: Gap = { fromUs: firstUs, untilUs: lastUs, ended: false, interfaces: new Map() };
    this.#gaps.push(fresh);
    if (this.#gaps.length > maxEndedGaps + 1) this.#gaps.shift();
    return fresh;
  }

  #addTo(sums: Sums, reason: LossReason, of: Unrecorded, lost: LostPackets): void {
    let key = keyOf(reason, of);
    let sum = sums.get(key);
    if (sum === undefined && sums.size >= maxSums.withPort) {
      const coarser = { ...of, port: 0, protocol: sums.size >= maxSums.withProtocol ? 0 : of.protocol };
      key = keyOf(reason, coarser);
      sum = sums.get(key) ?? { reason, ...coarser, ...nothingLost };
    }
    sum ??= { reason, ...of, ...nothingLost };
    if (sum.packets === 0) {
      sums.set(key, sum);
      this.#hasNewSum = true;
    }
    sum.packets += lost.packets;
    sum.bytes += lost.bytes;
    sum.firstUs = Math.min(sum.firstUs, lost.firstUs);
    sum.lastUs = Math.max(sum.lastUs, lost.lastUs);
  }

  #forgetUnreadable(nowUs: number): void {
    for (const [index, sums] of this.#unreadable) {
      for (const [key, { lastUs }] of sums) {
        if (nowUs - lastUs <= unreadableKeptUs) continue;
        sums.delete(key);
        this.#hasNewSum = true;
      }
      if (sums.size === 0) this.#unreadable.delete(index);
    }
  }
}

function interfaceOf(gap: Gap, index: number): GapInterface {
  const known = gap.interfaces.get(index);
  if (known !== undefined) return known;
  const fresh: GapInterface = { name: '', podUid: '', connections: 0, unanswered: 0, sums: new Map() };
  gap.interfaces.set(index, fresh);
  return fresh;
}

const reasons = Object.keys(lossReasons) as LossReason[];

function keyOf(reason: LossReason, { direction, protocol, port, zone }: Unrecorded): number {
  const high = (reasons.indexOf(reason) * 4 + unrecordedDirectionNumber(direction)) * 4 + remoteZoneNumber(zone);
  return (high * 2 ** 8 + protocol) * 2 ** 16 + port;
}

function wireGap({ fromUs, untilUs, ended, interfaces }: Gap): WireGap {
  return {
    fromUs: Math.floor(fromUs),
    untilUs: Math.floor(untilUs),
    ended,
    interfaces: [...interfaces]
      .toSorted(([, a], [, b]) => b.unanswered - a.unanswered)
      .filter(([, { sums }], i) => sums.size > 0 || i < maxOtherHolders)
      .map(([index, { sums, ...of }]): WireGapInterface => ({ index, ...of, unrecorded: wireSums(sums) })),
  };
}

function wireSums(sums: Sums): WireUnrecorded[] {
  return [...sums.values()].map(wireSum);
}

function wireSum({ reason, direction, protocol, port, zone, packets, bytes, firstUs, lastUs }: Sum): WireUnrecorded {
  return {
    reason,
    direction: unrecordedDirectionNumber(direction),
    protocol,
    port,
    zone: remoteZoneNumber(zone),
    packets,
    bytes,
    firstUs: Math.floor(firstUs),
    lastUs: Math.floor(lastUs),
  };
}
