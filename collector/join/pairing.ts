// Decides which sides are one connection. Ports and pod addresses are reused, agents restart, and one side may be reported
// late or never, so several sides may have the same ends. The result depends on the sides only, not on their order.
import { TCP } from '../../model/protocol.ts';
import { RST, type Tuple } from '../../model/record.ts';
import { type End, isSameEnd, type Side } from './side.ts';
import { isSameInterface, type Strand, strandOf, strandsOf } from './strand.ts';

/** Tolerance for comparing times of two nodes. */
export const clockToleranceUs = 500_000;
/** The same for two sides with the same initial sequence number. */
const sameSequenceToleranceUs = 5_000_000;

/** The part of a strand that belongs to a connection: its records that began in [fromUs, untilUs). */
export type Part = { strand: Strand; fromUs: number; untilUs: number };

/** One connection: at most one strand for each end, or the strands of a capture file. */
export type Group = {
  parts: readonly Part[];
  /** Both ends know the initial sequence number, and the numbers differ. */
  sequenceRewritten: boolean;
  /** A side to a Service may be the initiator's side of this connection, or of another one. */
  mayBeOfService: boolean;
  /** Other connections have the same ends: it is not known whose packets arrived. */
  senderAmbiguous: boolean;
};

export type PairingContext = {
  /** Whether the interface shows what its pod sends. */
  seesFromPod(side: Side): boolean;
  /** Whether `backend` was a ready endpoint of the Service address at that time. */
  isBackend(protocol: number, service: End, backend: End, timeUs: number): boolean;
};

type Candidate = {
  one: Strand;
  other: Strand;
  /** An end received packets, and the other end sent none. */
  isSilent: boolean;
  sequence: 'equal' | 'unknown' | 'different';
  distanceUs: number;
};

/** The connections of these sides, in the order of their times. */
export function groupsOf(sides: readonly Side[], context: PairingContext): Group[] {
  const simple = simpleGroups(sides, context);
  if (simple !== undefined) return simple;
  const strands = strandsOf(sides);
  if (strands.length === 1) return [groupOf([wholeOf(strands[0]!)])];
  const atPods = strands.filter(({ first }) => first.atPod);
  const groups = [
    ...podGroups(atPods, context),
    ...fileGroups(
      strands.filter(({ first }) => !first.atPod),
      context,
    ),
  ];
  return groups.sort((a, b) => startOf(a) - startOf(b));
}

/**
 * The connections of sides in a crowd: only sides with the same initial sequence number are compared. Who has no partner, or
 * may have another one, is marked. `isWhole`: all sides with the number of this one are here.
 */
export function crowdedGroups(
  sides: readonly Side[],
  context: PairingContext,
  isWhole: (side: Side) => boolean,
): Group[] {
  const groups: Group[] = [];
  for (const [isn, same] of Map.groupBy(sides, (side) => side.isn)) {
    const isProven = isn !== undefined && isWhole(same[0]!);
    for (const group of groupsOf(same, context)) {
      const isFile = !group.parts[0]!.strand.first.atPod;
      if (isFile || (isProven && group.parts.length > 1)) groups.push(group);
      else groups.push({ ...group, senderAmbiguous: true });
    }
  }
  return groups.sort((a, b) => startOf(a) - startOf(b));
}

/** The usual case: one side, or two that see the same connection from its ends. Undefined for all other cases. */
function simpleGroups(sides: readonly Side[], context: PairingContext): Group[] | undefined {
  if (sides.length > 2) return undefined;
  const [one, other] = sides;
  if (other === undefined) return [groupOf([wholeOf(strandOf([one!]))])];
  if (!one!.atPod || !other.atPod || isSameInterface(one!, other)) return undefined;
  const [a, b] = [strandOf([one!]), strandOf([other])];
  const sequence = sequenceOf(a, b);
  const toleranceUs = sequence === 'equal' ? sameSequenceToleranceUs : clockToleranceUs;
  if (!areLinked(one!, other, context) || !mayBelongTogether(a, b) || !overlap(a, b, toleranceUs)) return undefined;
  return [groupOf([wholeOf(a), wholeOf(b)])];
}

function podGroups(strands: readonly Strand[], context: PairingContext): Group[] {
  const all = candidatesOf(strands, context);
  const candidates = all.filter((candidate) => isOnlyBackend(candidate, all, context));
  const partners = matchCandidates(candidates);
  const boundaries = new Map<Strand, { atUs: number; replacement: Strand }[]>();
  const replacements = new Set<Strand>();
  for (const strand of strands) {
    if (partners.has(strand)) continue;
    const shared = strandOfReplacedPod(strand, candidates, partners);
    if (shared === undefined) continue;
    const ofShared = boundaries.get(shared) ?? [];
    boundaries.set(shared, [...ofShared, { atUs: strand.beganUs, replacement: strand }]);
    replacements.add(strand);
  }
  const groups: Group[] = [];
  const grouped = new Set<Strand>();
  for (const strand of strands) {
    if (grouped.has(strand) || replacements.has(strand)) continue;
    grouped.add(strand);
    const partner = partners.get(strand);
    if (partner !== undefined) grouped.add(partner);
    const own = [strand, ...(partner === undefined ? [] : [partner])];
    groups.push(
      groupOf(
        own.map((one) => ({
          strand: one,
          fromUs: Number.NEGATIVE_INFINITY,
          untilUs: boundaries.get(one)?.[0]?.atUs ?? Number.POSITIVE_INFINITY,
        })),
        candidates,
        partner === undefined && all.some(({ one, other }) => one === strand || other === strand),
        partner === undefined && mayHaveArrivedIn(strand, strands, context),
      ),
    );
  }
  for (const [shared, ofShared] of boundaries) {
    for (const [index, { atUs, replacement }] of ofShared.entries()) {
      const untilUs = ofShared[index + 1]?.atUs ?? Number.POSITIVE_INFINITY;
      groups.push(groupOf([wholeOf(replacement), { strand: shared, fromUs: atUs, untilUs }], candidates));
    }
  }
  return groups;
}

function candidatesOf(strands: readonly Strand[], context: PairingContext): Candidate[] {
  const candidates: Candidate[] = [];
  for (const [index, one] of strands.entries()) {
    for (const other of strands.slice(index + 1)) {
      if (!areLinked(one.first, other.first, context) || !mayBelongTogether(one, other)) continue;
      const sequence = sequenceOf(one, other);
      if (!overlap(one, other, sequence === 'equal' ? sameSequenceToleranceUs : clockToleranceUs)) continue;
      const isSilent = isSilentTowards(one, other, context) || isSilentTowards(other, one, context);
      candidates.push({ one, other, isSilent, sequence, distanceUs: Math.abs(one.beganUs - other.beganUs) });
    }
  }
  return candidates.sort(compareCandidates);
}

/** Each strand gets at most one partner; the best pairs come first. */
function matchCandidates(candidates: readonly Candidate[]): Map<Strand, Strand> {
  const partners = new Map<Strand, Strand>();
  for (const candidate of candidates) {
    const { one, other } = candidate;
    if (partners.has(one) || partners.has(other)) continue;
    // Numbers that differ separate two sides if each may belong to another one.
    const hasOther = (strand: Strand) =>
      candidates.some((more) => more !== candidate && (more.one === strand || more.other === strand));
    if (candidate.sequence === 'different' && hasOther(one) && hasOther(other)) continue;
    partners.set(one, other);
    partners.set(other, one);
  }
  return partners;
}

function compareCandidates(a: Candidate, b: Candidate): number {
  return (
    Number(a.isSilent) - Number(b.isSilent) || order[a.sequence] - order[b.sequence] || a.distanceUs - b.distanceUs
  );
}

const order = { equal: 0, unknown: 1, different: 2 };

/**
 * The other end's strand if the pod at this end replaced one that had its address: the strand goes on, with the other pod.
 */
function strandOfReplacedPod(
  strand: Strand,
  candidates: readonly Candidate[],
  partners: ReadonlyMap<Strand, Strand>,
): Strand | undefined {
  for (const { one, other, isSilent, sequence } of candidates) {
    if (isSilent || sequence === 'different' || (one !== strand && other !== strand)) continue;
    const shared = one === strand ? other : one;
    const before = partners.get(shared);
    if (before === undefined || isForeign(before.first) || isSameInterface(before.first, strand.first)) continue;
    if (before.lastUs <= strand.beganUs + clockToleranceUs && before.beganUs < strand.beganUs) return shared;
  }
  return undefined;
}

/** Both sides see the same connection from its two ends. */
function areLinked(a: Side, b: Side, context: PairingContext): boolean {
  if (isSameEnd(a.near, b.far) && isSameEnd(a.far, b.near)) return !isOneInterface(a, b);
  for (const translation of [a.translation, b.translation]) {
    if (translation === undefined) continue;
    if (isAtInitiator(a, translation.original) && isAtResponder(b, translation.translated)) return true;
    if (isAtInitiator(b, translation.original) && isAtResponder(a, translation.translated)) return true;
  }
  return isServiceLink(a, b, context) || isServiceLink(b, a, context);
}

/** Without conntrack: the same initiator, and the responder is an endpoint of the Service that the other side names. */
function isServiceLink(atInitiator: Side, atResponder: Side, context: PairingContext): boolean {
  if (atInitiator.translation !== undefined || atResponder.translation !== undefined) return false;
  if (!isSameEnd(atInitiator.near, atResponder.far) || isSameEnd(atInitiator.far, atResponder.near)) return false;
  return context.isBackend(atInitiator.protocol, atInitiator.far, atResponder.near, atInitiator.beganUs);
}

/** A Service without conntrack has exactly one candidate; with several it is not known which one is right. */
function isOnlyBackend(candidate: Candidate, candidates: readonly Candidate[], context: PairingContext): boolean {
  const isGuess = ({ one, other }: Candidate) =>
    isServiceLink(one.first, other.first, context) || isServiceLink(other.first, one.first, context);
  if (!isGuess(candidate)) return true;
  const rivals = candidates.filter(
    (more) =>
      more !== candidate &&
      order[more.sequence] <= order[candidate.sequence] &&
      [more.one, more.other].some((strand) => strand === candidate.one || strand === candidate.other),
  );
  // Reuse of the initiator's port: each has its own partner at the same two interfaces.
  return rivals.every(
    ({ one, other }) =>
      (isSameInterface(one.first, candidate.one.first) && isSameInterface(other.first, candidate.other.first)) ||
      (isSameInterface(one.first, candidate.other.first) && isSameInterface(other.first, candidate.one.first)),
  );
}

/**
 * Packets that do not belong to the pod of the interface prove nothing, unless the pod sent them as the initiator. If no pod
 * is behind it, they never prove anything about an address of another node.
 */
function mayBelongTogether(one: Strand, other: Strand): boolean {
  return mayBelongTo(one, other) && mayBelongTo(other, one);
}

function mayBelongTo(strand: Strand, other: Strand): boolean {
  const { ownsNearAddress, nearInitiated } = strand.first;
  if (ownsNearAddress === false) return nearInitiated && !other.first.nearInitiated && hasSent(strand);
  return ownsNearAddress !== 'on-another-node';
}

/** Whether the near address is known to be that of somebody else. */
export function isForeign({ ownsNearAddress }: Side): boolean {
  return ownsNearAddress === false || ownsNearAddress === 'on-another-node';
}

/** Whether the pod behind the interface sent packets. */
export function hasSent({ sides }: Strand): boolean {
  return sides.some(({ total }) => total.near.packets > 0);
}

/** The strand shows everything that its end sent, at most refusals of answers, and the other end received something. */
function isSilentTowards(strand: Strand, other: Strand, context: PairingContext): boolean {
  const { sides, first } = strand;
  const isTcp = first.protocol === TCP;
  const isSilent = sides.every(({ total: { near } }) => (isTcp ? (near.tcpFlags & ~RST) === 0 : !near.replied));
  return isSilent && hasReceived(other) && context.seesFromPod(first);
}

function hasReceived({ sides }: Strand): boolean {
  return sides.some(({ total }) => total.far.packets > 0);
}

function overlap(one: Strand, other: Strand, toleranceUs: number): boolean {
  return one.beganUs - toleranceUs <= other.lastUs && other.beganUs - toleranceUs <= one.lastUs;
}

/** If the sides name different initiators, each number is that of another SYN. */
function sequenceOf(one: Strand, other: Strand): Candidate['sequence'] {
  const [a, b] = [one.first, other.first];
  const sameInitiator = a.atPod
    ? a.nearInitiated !== b.nearInitiated
    : isSameEnd(initiatorFirst(a)[0], initiatorFirst(b)[0]);
  if (one.isn === undefined || other.isn === undefined || !sameInitiator) return 'unknown';
  return one.isn === other.isn ? 'equal' : 'different';
}

function groupOf(
  parts: readonly Part[],
  candidates: readonly Candidate[] = [],
  mayBeOfService = false,
  mayHaveArrived = false,
): Group {
  const [one, other] = parts.map(({ strand }) => strand);
  return {
    parts,
    sequenceRewritten: one !== undefined && other !== undefined && sequenceOf(one, other) === 'different',
    senderAmbiguous: parts.length > 1 ? hasRivalSender(parts, candidates) : mayHaveArrived,
    mayBeOfService,
  };
}

/** Forged packets of a connection of others: the far end counts them among those of that connection. */
function mayHaveArrivedIn(strand: Strand, strands: readonly Strand[], context: PairingContext): boolean {
  if (!isForeign(strand.first) || !hasSent(strand)) return false;
  return strands.some(
    (other) =>
      other !== strand &&
      areLinked(strand.first, other.first, context) &&
      overlap(strand, other, clockToleranceUs) &&
      hasReceived(other),
  );
}

/** Another interface has the same ends in the same direction, and its packets may be those that the other end saw. */
function hasRivalSender(parts: readonly Part[], candidates: readonly Candidate[]): boolean {
  const strands = parts.map(({ strand }) => strand);
  return candidates.some(({ one, other, isSilent, sequence }) => {
    if (isSilent || sequence === 'different') return false;
    const [known, rival] = strands.includes(one) ? [one, other] : [other, one];
    if (!strands.includes(known) || strands.includes(rival) || !rival.first.nearInitiated) return false;
    const replaced = strands.find((strand) => strand !== known)!;
    const isKnownSequence = sequenceOf(known, replaced) === 'equal' && sequence !== 'equal';
    return !isKnownSequence && !isOneInterface(rival.first, replaced.first) && overlap(rival, replaced, 0);
  });
}

/** A capture file may hold a connection at several interfaces, also before and after translation. */
function fileGroups(strands: readonly Strand[], context: PairingContext): Group[] {
  const groups: Strand[][] = [];
  for (const strand of strands) {
    const group = groups.find((members) => belongsToFileGroup(strand, members, groups, context));
    if (group === undefined) groups.push([strand]);
    else group.push(strand);
  }
  return groups.map((members) => ({
    parts: members.map(wholeOf),
    sequenceRewritten: false,
    senderAmbiguous: false,
    mayBeOfService: false,
  }));
}

function belongsToFileGroup(
  strand: Strand,
  members: readonly Strand[],
  groups: readonly (readonly Strand[])[],
  context: PairingContext,
): boolean {
  if (members.some((member) => isSameInterface(member.first, strand.first))) return false;
  const matches = (other: Strand) =>
    overlap(other, strand, clockToleranceUs) && sequenceOf(other, strand) !== 'different';
  const [first] = members;
  const sameEnds = isSameEnd(first!.first.near, strand.first.near) && isSameEnd(first!.first.far, strand.first.far);
  if (sameEnds) return matches(first!);
  const isLink = (other: Strand) => matches(other) && isFileServiceLink(other.first, strand.first, context);
  return isLink(first!) && groups.filter((group) => isLink(group[0]!)).length === 1;
}

function isFileServiceLink(a: Side, b: Side, context: PairingContext): boolean {
  const [from, to] = [initiatorFirst(a), initiatorFirst(b)];
  if (!isSameEnd(from[0], to[0]) || isSameEnd(from[1], to[1])) return false;
  return (
    context.isBackend(a.protocol, from[1], to[1], a.beganUs) || context.isBackend(a.protocol, to[1], from[1], a.beganUs)
  );
}

/** The ends of a side, the initiator first. */
export function initiatorFirst({ near, far, nearInitiated }: Side): [End, End] {
  return nearInitiated ? [near, far] : [far, near];
}

function isOneInterface(a: Side, b: Side): boolean {
  return a.interfaceIndex === b.interfaceIndex && a.node === b.node;
}

function isAtInitiator({ near, far }: Side, tuple: Tuple): boolean {
  return isEnd(near, tuple.initiator, tuple.initiatorPort) && isEnd(far, tuple.responder, tuple.responderPort);
}

function isAtResponder({ near, far }: Side, tuple: Tuple): boolean {
  return isEnd(far, tuple.initiator, tuple.initiatorPort) && isEnd(near, tuple.responder, tuple.responderPort);
}

function isEnd(end: End, address: string, port: number): boolean {
  return end.port === port && end.address === address;
}

function wholeOf(strand: Strand): Part {
  return { strand, fromUs: Number.NEGATIVE_INFINITY, untilUs: Number.POSITIVE_INFINITY };
}

function startOf({ parts }: Group): number {
  return Math.min(...parts.map(({ strand, fromUs }) => Math.max(strand.beganUs, fromUs)));
}
