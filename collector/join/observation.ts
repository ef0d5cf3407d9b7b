// One connection as its sides saw it: the counters in the direction of the initiator, and the ends before and after
// translation.
import type { JoinedConnection, Observation } from '../../model/joined.ts';
import type { ObservationPoint, Translation, Tuple } from '../../model/record.ts';
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
  type Side,
} from './side.ts';

export type IsService = (protocol: number, end: End, timeUs: number) => boolean;

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
  const rank = (part: Part) => (isRest(part) ? 2 : 0) + (initiator.isNear(part.strand.first) ? 0 : 1);
  const { first } = parts.reduce((best, part) => (rank(part) < rank(best) ? part : best)).strand;
  const [near, far] = [first.near, first.far];
  return connectionId(
    tupleKey(first.protocol, tupleOfEnds(near, far)),
    first.node,
    first.interfaceIndex,
    first.agentBeganUs,
  );
}

/** The earlier records of its side, with the handshake, belong to another connection. */
function isRest({ strand, fromUs }: Part): boolean {
  return fromUs > strand.beganUs || strand.first.isRest;
}

export function joinedOf(id: string, group: Group, initiator: Initiator, isService: IsService): JoinedConnection {
  const viewed: Viewed[] = [];
  const hosts: Viewed[] = [];
  let source: Viewed | undefined;
  let destination: Viewed | undefined;
  let lastUs = 0;
  for (const part of group.parts) {
    const counters = countersOfPart(part);
    if (counters === undefined) continue;
    const side = part.strand.first;
    const one = { part, side, counters, nearInitiated: initiator.isNear(side) };
    viewed.push(one);
    if (counters.lastUs > lastUs) lastUs = counters.lastUs;
    if (!side.atPod) hosts.push(one);
    else if (one.nearInitiated) source ??= one;
    else destination ??= one;
  }
  const [originalTuple, translatedTuple] = tuplesOf(viewed, source, destination, isService);
  return {
    id,
    protocol: viewed[0]!.side.protocol,
    startUs: startOf(source, destination, viewed),
    lastUs,
    source: source && observationOf(source),
    destination: destination && observationOf(destination),
    host: hostObservation(hosts),
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
    else addCounters(sum, counters);
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
  if (source !== undefined && sawStart(source)) return beganOf(source);
  if (destination !== undefined && sawStart(destination)) return beganOf(destination);
  return Math.min(...viewed.map(beganOf));
}

function sawStart({ side, part }: Viewed): boolean {
  return side.initiatorBy === 'handshake' && part.fromUs <= side.beganUs;
}

function observationOf(viewed: Viewed): Observation {
  const { side, part, counters, nearInitiated } = viewed;
  const [forward, reverse] = nearInitiated ? [counters.near, counters.far] : [counters.far, counters.near];
  return {
    ...tupleOf(viewed),
    point: pointOf(viewed),
    node: side.node,
    interfaceIndex: side.interfaceIndex,
    podUid: side.podUid || (part.strand.sides.find(({ podUid }) => podUid !== '')?.podUid ?? ''),
    initiatorBy: part.strand.sides.some(isByHandshake) ? 'handshake' : 'inferred',
    midStream: isRest(part) || part.strand.sides.every(isMidStream),
    beganUs: beganOf(viewed),
    lastUs: counters.lastUs,
    packets: { forward: forward.packets, reverse: reverse.packets },
    bytes: { forward: forward.bytes, reverse: reverse.bytes },
    tcpFlags: { forward: forward.tcpFlags, reverse: reverse.tcpFlags },
    synRetries: counters.synRetries,
    unreachable: counters.unreachable,
    arrived: forward.proven,
    hasReply: reverse.replied,
    hasRequest: forward.replied,
    sawResponderFirst:
      side.farFirst === undefined ? nearInitiated !== side.nearInitiated : side.farFirst === nearInitiated,
    rttUs: counters.rttUs,
    ended: counters.ended,
  };
}

function isByHandshake({ initiatorBy }: Side): boolean {
  return initiatorBy === 'handshake';
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
function tuplesOf(
  viewed: readonly Viewed[],
  source: Viewed | undefined,
  destination: Viewed | undefined,
  isService: IsService,
): [Tuple, Tuple] {
  const translation = (source && translationOf(source)) ?? (destination && translationOf(destination));
  if (translation !== undefined) return [translation.original, translation.translated];
  const ofSource = source && tupleOf(source);
  const ofDestination = destination && tupleOf(destination);
  if (ofSource !== undefined && ofDestination !== undefined)
    return isSameTuple(ofSource, ofDestination) ? [ofSource, ofSource] : [ofSource, ofDestination];
  const one = ofSource ?? ofDestination;
  return one === undefined ? tuplesOfFile(viewed, isService) : [one, one];
}

function translationOf({ part }: Viewed): Translation | undefined {
  return part.strand.sides.find((side) => side.translation !== undefined)?.translation;
}

/** Of two interfaces of a capture file, the one that names the Service is before translation. */
function tuplesOfFile(viewed: readonly Viewed[], isService: IsService): [Tuple, Tuple] {
  const tuples = viewed.map(tupleOf);
  const first = tuples[0]!;
  const other = tuples.find((tuple) => !isSameTuple(tuple, first));
  if (other === undefined) return [first, first];
  const { protocol, beganUs } = viewed[0]!.side;
  const isOriginal = isService(protocol, { address: first.responder, port: first.responderPort }, beganUs);
  return isOriginal ? [first, other] : [other, first];
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
    a.initiator === b.initiator &&
    a.initiatorPort === b.initiatorPort &&
    a.responder === b.responder &&
    a.responderPort === b.responderPort
  );
}
