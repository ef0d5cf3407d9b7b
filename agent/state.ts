// The agent's report about itself: its source, interfaces and packet accounting. It is a new object only if something
// changed: the stream sends each new object.
import type { AccountingSnapshot, PacketCounts } from '../accounting/accounting.ts';
import type { AgentState, WireCoverage, WireInterface, WirePacketCounts } from '../proto/wire.ts';

/** The accounting changes with every packet; it is reported at this interval. */
const accountingEveryUs = 1_000_000;

export type StateReaders = {
  source: () => { name: string; reason: string };
  interfaces: () => WireInterface[];
  notWatched: () => string[];
  nodeAddresses: () => string[];
  /** 0 while the interfaces are not watched yet. */
  watchingSinceUs: () => number;
  accounting: () => AccountingSnapshot;
  coverage: () => WireCoverage;
};

export class StateReporter {
  readonly #version: string;
  readonly #readers: StateReaders;
  #last: AgentState | undefined;
  #accountingUs = 0;
  #nodeAddresses: string[] = [];

  constructor(version: string, readers: StateReaders) {
    this.#version = version;
    this.#readers = readers;
  }

  at(nowUs: number): AgentState {
    const interfaces = this.#readers.interfaces();
    const notWatched = this.#readers.notWatched();
    const accountingDue = nowUs - this.#accountingUs >= accountingEveryUs;
    const coverage = this.#readers.coverage();
    const last = this.#last;
    const isSame = last?.interfaces === interfaces && last.notWatched === notWatched && last.coverage === coverage;
    if (last !== undefined && isSame && !accountingDue) return last;
    const accounting = this.#readers.accounting();
    this.#accountingUs = nowUs;
    const source = this.#readers.source();
    if (accountingDue) this.#nodeAddresses = this.#readers.nodeAddresses();
    this.#last = {
      version: this.#version,
      source: source.name,
      sourceReason: source.reason,
      interfaces,
      notWatched,
      accounting: { ...wireCounts(accounting), bytes: wireCounts(accounting.bytes) },
      nodeAddresses: this.#nodeAddresses,
      watchingSinceUs: this.#readers.watchingSinceUs(),
      stopped: false,
      coverage,
    };
    return this.#last;
  }
}

function wireCounts({ seen, stored, ignored, lost }: PacketCounts): WirePacketCounts {
  return { seen, stored, ignored: withoutUndefined(ignored), lost: withoutUndefined(lost) };
}

function withoutUndefined(counts: Partial<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([reason, amount]) => [reason, amount ?? 0]));
}
