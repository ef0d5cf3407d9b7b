// The losses that an agent reports: by interface where it knows the interface, else for the whole node.
import type { LossReason } from '../../accounting/reasons.ts';
import type { CoverageGap, InterfaceLoss } from '../../model/unrecorded.ts';
import { remoteZoneOf, unrecordedDirectionOf } from '../../proto/unrecorded.ts';
import type { AgentState, WireGap, WireUnrecorded } from '../../proto/wire.ts';

export type LossesByInterface = ReadonlyMap<number, InterfaceLoss[]>;

/** Of these, an agent reports the interface. Older agents do not. */
const knownInterface: ReadonlySet<string> = new Set<LossReason>([
  'table-full',
  'ring-full',
  'kernel-buffer-full',
  'capture-start',
  'corrupt',
  'fragment-without-first',
]);
/** Only these are added up by who began the connection. */
const byConnection: ReadonlySet<string> = new Set<LossReason>(['table-full', 'ring-full']);
/** The agent does not know which interface it was: no link has the index 0. */
const anyInterface = 0;
const none: readonly InterfaceLoss[] = [];

/** Times on the collector's clock. */
export function interfaceLosses(coverage: AgentState['coverage'], clockOffsetUs: number): LossesByInterface {
  const found = new Map<number, InterfaceLoss[]>();
  const add = (index: number, unrecorded: readonly WireUnrecorded[], lasts: boolean) => {
    const losses = found.get(index) ?? [];
    found.set(index, losses);
    for (const sum of unrecorded) losses.push(lossOf(sum, lasts, clockOffsetUs));
  };
  for (const { interfaces, ended } of coverage?.gaps ?? [])
    for (const { index, unrecorded } of interfaces) add(index, unrecorded, !ended);
  for (const { index, unrecorded } of coverage?.unreadable ?? []) add(index, unrecorded, false);
  return found;
}

export function lossesAt(losses: LossesByInterface, index: number): readonly InterfaceLoss[] {
  const [own, common] = [losses.get(index) ?? none, losses.get(anyInterface) ?? none];
  return common.length === 0 ? own : [...own, ...common];
}

/** Packets whose interface the agent does not report, since its start. */
export function lostAnywhere({ accounting, coverage }: AgentState): number {
  return Object.entries(accounting?.lost ?? {}).reduce(
    (sum, [reason, packets]) => (coverage && knownInterface.has(reason) ? sum : sum + packets),
    0,
  );
}

export function coverageGap(gap: WireGap, clockOffsetUs: number): CoverageGap {
  return {
    fromUs: gap.fromUs + clockOffsetUs,
    untilUs: gap.untilUs + clockOffsetUs,
    ended: gap.ended,
    interfaces: gap.interfaces.map(({ name, podUid, connections, unanswered, unrecorded }) => ({
      ...{ name, podUid, connections, unanswered },
      unrecorded: unrecorded.map((sum) => ({
        ...sum,
        direction: unrecordedDirectionOf(sum.direction),
        zone: remoteZoneOf(sum.zone),
        firstUs: sum.firstUs + clockOffsetUs,
        lastUs: sum.lastUs + clockOffsetUs,
      })),
    })),
  };
}

function lossOf(sum: WireUnrecorded, lasts: boolean, clockOffsetUs: number): InterfaceLoss {
  const { reason, direction, protocol, port, lastUs } = sum;
  return {
    of: byConnection.has(reason) ? 'connections' : 'packets',
    direction: unrecordedDirectionOf(direction),
    protocol,
    port,
    lastUs: lasts ? Number.POSITIVE_INFINITY : lastUs + clockOffsetUs,
  };
}
