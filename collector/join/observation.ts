// One connection as its sides saw it: the counters in the direction of the initiator, and the ends before and after
// translation.
import type { JoinedConnection, Observation } from '../../model/joined.ts';
import type { ObservationPoint, Tuple } from '../../model/record.ts';
import { type Initiator, initiatorOf } from './initiator.ts';
import { connectionId, tupleKey } from './keys.ts';
import { type Group, hasSent, type Part } from './pairing.ts';
import {
  addCounters,
  type Counters,
  cloneCounters,
  countersBetween,
  type End,
  isMidStream,
  isSameEnd,
  type Side,
} from './side.ts';

export type IsService = (protocol: number, end: End) => boolean;

type Viewed = { part: Part; side: Side; counters: Counters; nearInitiated: boolean };

/** `previous`: the initiator of the connection before it with the same ends. */
export function groupInitiator({ parts }: Group, previous: Initiator | undefined): Initiator {
  // With a foreign address, the pod behind the interface sent the packets, also if they look like answers.
  if (parts.length === 1 && parts[0]!.strand.first.ownsNearAddress === false && hasSent(parts[0]!.strand))
    return { certain: false, isNear: () => true };
  return initiatorOf(
    parts.map(({ strand }) => strand),
    previous,
  );
}

/** The same for the same group, also if its records are joined again after a restart. */
export function groupId({ parts }: Group, initiator: Initiator): string {
  const rank = ({ strand, fromUs }: Part) => {
    const isRest = fromUs > strand.beganUs || strand.first.isRest;
    return (isRest ? 2 : 0) + (initiator.isNear(strand.first) ? 0 : 1);
  };
  const { first } = parts.reduce((best, part) => (rank(part) < rank(best) ? part : best)).strand;
  const [near, far] = [first.near, first.far];
  return connectionId(
    tupleKey(first.protocol, tupleOfEnds(near, far)),
    first.node,
    first.interfaceIndex,
    first.agentBeganUs,
  );
}

export function joinedOf(id: string, group: Group, initiator: Initiator, isService: IsService): JoinedConnection {
  const viewed = group.parts.flatMap((part): Viewed[] => {
    const counters = countersOfPart(part);
    if (counters === undefined) return [];
    const side = part.strand.first;
    return [{ part, side, counters, nearInitiated: initiator.isNear(side) }];
  });
  const at = (point: ObservationPoint) => viewed.filter((one) => pointOf(one) === point);
  const [source] = at('source');
  const [destination] = at('destination');
  const host = hostObservation(at('host'));
  const [originalTuple, translatedTuple] = tuplesOf(viewed, isService);
  return {
    id,
    protocol: viewed[0]!.side.protocol,
    startUs: startOf(source, destination, viewed),
    lastUs: Math.max(...viewed.map(({ counters }) => counters.lastUs)),
    source: source && observationOf(source),
    destination: destination && observationOf(destination),
    host,
    originalTuple,
    translatedTuple,
    initiatorBy: initiator.certain ? 'handshake' : 'inferred',
    sequenceRewritten: group.sequenceRewritten,
    senderAmbiguous: group.senderAmbiguous,
    initiatorSeenAtService: group.mayBeOfService,
  };
}

function countersOfPart({ strand, fromUs, untilUs }: Part): Counters | undefined {
  if (strand.sides.length === 1 && fromUs <= strand.beganUs && untilUs === Number.POSITIVE_INFINITY)
    return strand.first.total;
  let sum: Counters | undefined;
  for (const side of strand.sides) {
    const counters = countersBetween(side, fromUs, untilUs);
    if (counters === undefined) continue;
    if (sum === undefined) sum = cloneCounters(counters);
    else {
      addCounters(sum, counters);
      sum.ended = counters.ended;
    }
  }
  return sum;
}

function pointOf({ side, nearInitiated }: Viewed): ObservationPoint {
  if (!side.atPod) return 'host';
  return nearInitiated ? 'source' : 'destination';
}

function beganOf({ part, side }: Viewed): number {
  return Math.max(side.beganUs, part.fromUs);
}

/** The side that saw the first packet knows the start; the initiator's side comes first. */
function startOf(source: Viewed | undefined, destination: Viewed | undefined, viewed: readonly Viewed[]): number {
  const sawStart = [source, destination].find(
    (one) => one !== undefined && one.side.initiatorBy === 'handshake' && one.part.fromUs <= one.side.beganUs,
  );
  return sawStart === undefined ? Math.min(...viewed.map(beganOf)) : beganOf(sawStart);
}

function observationOf(viewed: Viewed): Observation {
  const { side, part, counters, nearInitiated } = viewed;
  const [forward, reverse] = nearInitiated ? [counters.near, counters.far] : [counters.far, counters.near];
  return {
    ...tupleOf(viewed),
    point: pointOf(viewed),
    node: side.node,
    interfaceIndex: side.interfaceIndex,
    podUid: part.strand.sides.find(({ podUid }) => podUid !== '')?.podUid ?? '',
    initiatorBy: part.strand.sides.some((one) => one.initiatorBy === 'handshake') ? 'handshake' : 'inferred',
    midStream: part.strand.sides.every(isMidStream),
    beganUs: beganOf(viewed),
    lastUs: counters.lastUs,
    packets: { forward: forward.packets, reverse: reverse.packets },
    bytes: { forward: forward.bytes, reverse: reverse.bytes },
    tcpFlags: { forward: forward.tcpFlags, reverse: reverse.tcpFlags },
    synRetries: counters.synRetries,
    unreachable: counters.unreachable,
    arrived: forward.proven,
    hasReply: reverse.replied,
    rttUs: counters.rttUs,
    ended: counters.ended,
  };
}

/** Several interfaces of a capture file saw the same packets: one is counted, the flags of all count. */
function hostObservation(viewed: readonly Viewed[]): Observation | undefined {
  const [first, ...others] = viewed.map(observationOf);
  if (first === undefined) return undefined;
  for (const { tcpFlags, unreachable } of others) {
    first.tcpFlags.reverse |= tcpFlags.reverse;
    first.unreachable ||= unreachable;
  }
  first.ended = viewed.some(({ counters }) => counters.ended);
  return first;
}

/** Before and after translation; the same object if nothing was translated. */
function tuplesOf(viewed: readonly Viewed[], isService: IsService): [Tuple, Tuple] {
  const bySide = [...viewed].sort((a, b) => Number(b.nearInitiated) - Number(a.nearInitiated));
  for (const { part } of bySide) {
    const translation = part.strand.sides.find((side) => side.translation !== undefined)?.translation;
    if (translation !== undefined) return [translation.original, translation.translated];
  }
  const tuples = bySide.map(tupleOf);
  const [first] = tuples;
  const other = tuples.find((tuple) => !isSameTuple(tuple, first!));
  if (other === undefined) return [first!, first!];
  const firstIsOriginal =
    bySide[0]!.side.atPod ||
    isService(bySide[0]!.side.protocol, { address: first!.responder, port: first!.responderPort });
  return firstIsOriginal ? [first!, other] : [other, first!];
}

function tupleOf({ side, nearInitiated }: Viewed): Tuple {
  return nearInitiated ? tupleOfEnds(side.near, side.far) : tupleOfEnds(side.far, side.near);
}

function tupleOfEnds(initiator: End, responder: End): Tuple {
  return {
    initiator: initiator.address,
    initiatorPort: initiator.port,
    responder: responder.address,
    responderPort: responder.port,
  };
}

function isSameTuple(a: Tuple, b: Tuple): boolean {
  return (
    isSameEnd({ address: a.initiator, port: a.initiatorPort }, { address: b.initiator, port: b.initiatorPort }) &&
    isSameEnd({ address: a.responder, port: a.responderPort }, { address: b.responder, port: b.responderPort })
  );
}
