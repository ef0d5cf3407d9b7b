// A finding while it counts connections: a single one, or one that is rolled up over ports, protocols or responders.
import { type Finding, type Members, severities } from '../../model/finding.ts';
import { hasPorts } from '../../model/protocol.ts';
import { type FindingSubject, workloadKey, workloadOfKey } from './finding-id.ts';
import { KeyCounts, type MemberCounts, NumberCounts } from './member-counts.ts';

export const maxListedMembers = 20;

/** What the explanation of a finding adds to it. */
export type Explanation = Pick<Finding, 'explanation' | 'sides' | 'evidence'>;

/** A connection as the finding that would describe it alone. `explain` is called only for the latest one. */
export type Sighting = { finding: Finding; explain: (() => Explanation) | undefined };

type Over = { over: undefined } | OverNumbers | OverResponders;
type OverNumbers = { over: 'ports' | 'protocols'; members: MemberCounts<number> };
type OverResponders = { over: 'responders'; members: MemberCounts<string> };

/** `members` of a rolled-up finding: its connections by port, protocol or responder. */
export type Tally = Sighting & Over;
export type PortsTally = Sighting & OverNumbers;
export type RespondersTally = Sighting & OverResponders;

/** A subject without the fields that a family of findings has in common. */
export type Subject = Pick<FindingSubject, 'responder' | 'protocol' | 'port'>;

/** Of a finding that is not rolled up over responders. A rolled-up one has any port or protocol. */
export function tallySubject({ finding: { responder, protocol, port } }: Sighting): Subject {
  return { responder: workloadKey(responder!), protocol: protocol ?? 0, port };
}

/** The port of a connection, or its protocol if that has no ports. */
export function portOrProtocol({ port, protocol }: Subject): number {
  return port ?? protocol;
}

/** Counts the connections of a sighting. The latest connection describes the finding. */
export function addSighting(tally: Tally, subject: Subject, sighting: Sighting, connections: number): void {
  if (tally.over === 'responders') tally.members.add(subject.responder, connections);
  else if (tally.over !== undefined) tally.members.add(portOrProtocol(subject), connections);
  combine(tally, sighting, connections);
}

/** Adds a finding that is rolled up over the same. */
export function addTally(tally: Tally, other: Tally): void {
  if (tally.over === 'responders' && other.over === 'responders')
    for (const entry of other.members.entries()) tally.members.add(...entry);
  else if (tally.over !== 'responders' && tally.over !== undefined && other.over === tally.over)
    for (const entry of other.members.entries()) tally.members.add(...entry);
  combine(tally, other, other.finding.connections);
}

/** False if the finding counts no connection of the subject. */
export function removeConnection(tally: Tally, subject: Subject, connectionId: string): boolean {
  const { finding } = tally;
  if (finding.connections === 0 || !removeMember(tally, subject)) return false;
  const isDescribed = finding.connection?.id === connectionId;
  tally.finding = {
    ...finding,
    connections: finding.connections - 1,
    // Whichever connection comes next describes the finding.
    ...(isDescribed && { connection: { ...finding.connection!, id: '' } }),
  };
  return true;
}

/** Several findings as one, which is rolled up. */
export function rollUp(id: string, over: Over & { over: string }, findings: readonly Sighting[]): Tally {
  const [first, ...others] = findings as [Sighting, ...Sighting[]];
  const tally: Tally = { ...first, ...over, finding: shaped({ ...first.finding, id }, over.over) };
  for (const one of others) combine(tally, one, one.finding.connections);
  return tally;
}

/** As it is published and stored, with its explanation. */
export function publishedFinding(tally: Tally): Finding {
  if (tally.explain !== undefined) tally.finding = { ...tally.finding, ...tally.explain() };
  tally.explain = undefined;
  switch (tally.over) {
    case undefined:
      return tally.finding;
    case 'ports':
      return { ...tally.finding, ports: membersOf(tally.members, (port) => port), memberCounts: tally.members.text() };
    case 'protocols':
      return {
        ...tally.finding,
        protocols: membersOf(tally.members, (one) => one),
        memberCounts: tally.members.text(),
      };
    case 'responders':
      return {
        ...tally.finding,
        responders: membersOf(tally.members, workloadOfKey),
        memberCounts: tally.members.text(),
      };
  }
}

/** The reverse of `publishedFinding`. */
export function storedTally({ ports, protocols, responders, memberCounts = '', ...finding }: Finding): Tally {
  const sighting = { finding, explain: undefined };
  if (responders !== undefined) return { ...sighting, over: 'responders', members: KeyCounts.parse(memberCounts) };
  if (ports !== undefined) return { ...sighting, over: 'ports', members: NumberCounts.parse(memberCounts) };
  if (protocols !== undefined) return { ...sighting, over: 'protocols', members: NumberCounts.parse(memberCounts) };
  return { ...sighting, over: undefined };
}

function membersOf<Member, Shown>(counts: MemberCounts<Member>, show: (member: Member) => Shown): Members<Shown> {
  const first: Shown[] = [];
  for (const [member] of counts.entries()) {
    if (first.length === maxListedMembers) break;
    first.push(show(member));
  }
  return { count: counts.size, first };
}

function removeMember(tally: Tally, subject: Subject): boolean {
  if (tally.over === undefined) return true;
  return tally.over === 'responders'
    ? tally.members.remove(subject.responder)
    : tally.members.remove(portOrProtocol(subject));
}

/** The result has the highest severity of both. */
function combine(tally: Tally, { finding, explain }: Sighting, connections: number): void {
  const before = tally.finding;
  const isLatest = isLater(finding, before);
  // Its only connection was evaluated again.
  const isSole = connections === 0 && before.connections <= 1;
  const described = isLatest ? shaped(finding, tally.over) : before;
  tally.finding = {
    ...described,
    id: before.id,
    severity: isSole ? finding.severity : graverOf(before, finding),
    connections: before.connections + connections,
    firstSeenUs: Math.min(before.firstSeenUs, finding.firstSeenUs),
    lastSeenUs: Math.max(before.lastSeenUs, finding.lastSeenUs),
  };
  if (isLatest) tally.explain = explain;
}

function graverOf(...findings: readonly [Finding, Finding]): Finding['severity'] {
  return severities[Math.max(...findings.map(({ severity }) => severities.indexOf(severity)))]!;
}

/** Of connections that end at the same time, the one with the greater id is the latest. So their order does not matter. */
function isLater(one: Finding, before: Finding): boolean {
  const [id, idBefore] = [one.connection?.id ?? '', before.connection?.id ?? ''];
  if (idBefore === '' || id === idBefore) return true;
  return one.lastSeenUs === before.lastSeenUs ? id > idBefore : one.lastSeenUs > before.lastSeenUs;
}

/** Without what a finding of this kind is rolled up over. */
function shaped(finding: Finding, over: Tally['over']): Finding {
  if (over === undefined) return finding;
  const { port: _, ...withoutPort } = finding;
  if (over === 'ports') return withoutPort;
  const { protocol: __, ...withoutProtocol } = withoutPort;
  if (over === 'protocols') return withoutProtocol;
  const { responder: ___, ...withoutResponder } = withoutProtocol;
  return withoutResponder;
}

/** Findings of all protocols without ports are rolled up together. */
export function portGroup(protocol: number): string {
  return hasPorts(protocol) ? String(protocol) : 'protocols';
}
