// A finding while it counts connections: a single one, or one that is rolled up over ports, protocols or responders.
import type { Finding, Members, Severity, SeverityCounts } from '../../model/finding.ts';
import { hasPorts } from '../../model/protocol.ts';
import { type FindingSubject, workloadKey, workloadOfKey } from './finding-id.ts';
import { KeyCounts, type MemberCounts, NumberCounts } from './member-counts.ts';
import { addSeverities, countsOf, gravestOf, storedCounts } from './severity-counts.ts';
import { undescribed } from './undescribed.ts';

export const maxListedMembers = 20;

/** What the explanation of a finding adds to it. */
export type Explanation = Pick<Finding, 'explanation' | 'sides' | 'evidence'>;

/** A connection as the finding that would describe it alone. `explain` is called only for the latest one. */
export type Sighting = { finding: Finding; explain: (() => Explanation) | undefined };

type Over = { over: undefined } | OverNumbers | OverResponders;
type OverNumbers = { over: 'ports' | 'protocols'; members: MemberCounts<number> };
type OverResponders = { over: 'responders'; members: MemberCounts<string> };

/** `previous` described the finding before. It describes it again if the latest connection no longer counts. */
type Counted = Sighting & { counts: SeverityCounts; previous: Sighting | undefined };

/** `members` of a rolled-up finding: its connections by port, protocol or responder. */
export type Tally = Counted & Over;
export type PortsTally = Counted & OverNumbers;
export type RespondersTally = Counted & OverResponders;

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

/** The finding of one connection; or, with `connections` 0, changes to a stored finding. */
export function singleTally(
  { finding, explain }: Sighting,
  id: string,
  connections: number,
  counts: SeverityCounts,
): Tally {
  return { finding: { ...finding, id, connections }, explain, counts, previous: undefined, over: undefined };
}

/** Counts a connection of a sighting. The latest connection describes the finding. `formerSeverity`: it counts already. */
export function addSighting(
  tally: Tally,
  subject: Subject,
  sighting: Sighting,
  formerSeverity: Severity | undefined,
): void {
  const connections = formerSeverity === undefined ? 1 : 0;
  addMember(tally, subject, connections);
  combine(tally, sighting, connections, severityChange(sighting, formerSeverity));
}

/** How the counts change when a connection is evaluated for the first time, or again. */
export function severityChange({ finding: { severity } }: Sighting, former: Severity | undefined): SeverityCounts {
  return former === undefined ? { [severity]: 1 } : addSeverities({ [severity]: 1 }, { [former]: -1 });
}

/** Adds the connections of a finding that is not rolled up. */
export function addSingle(tally: Tally, subject: Subject, single: Tally): void {
  addMember(tally, subject, single.finding.connections);
  combine(tally, single, single.finding.connections, single.counts);
}

/** Adds a finding that is rolled up over the same. */
export function addTally(tally: Tally, other: Tally): void {
  if (tally.over === 'responders' && other.over === 'responders')
    for (const entry of other.members.entries()) tally.members.add(...entry);
  else if (tally.over !== 'responders' && tally.over !== undefined && other.over === tally.over)
    for (const entry of other.members.entries()) tally.members.add(...entry);
  combine(tally, other, other.finding.connections, other.counts);
}

/** False if the finding counts no connection of the subject. */
export function removeConnection(tally: Tally, subject: Subject, connectionId: string, severity: Severity): boolean {
  const { finding } = tally;
  if (finding.connections === 0 || !removeMember(tally, subject)) return false;
  tally.counts = addSeverities(tally.counts, { [severity]: -1 });
  tally.finding = {
    ...finding,
    connections: finding.connections - 1,
    severity: gravestOf(tally.counts) ?? finding.severity,
  };
  if (isOf(tally.previous, connectionId)) tally.previous = undefined;
  if (isOf(tally, connectionId)) describeOtherwise(tally);
  return true;
}

/** Whether it describes no connection that it counts. */
export function isUndescribed({ finding }: Sighting): boolean {
  return finding.connections > 0 && finding.connection === undefined;
}

/** Several findings as one, which is rolled up. */
export function rollUp(id: string, over: Over & { over: string }, findings: readonly Tally[]): Tally {
  const [first, ...others] = findings as [Tally, ...Tally[]];
  const tally: Tally = { ...first, ...over, finding: shaped({ ...first.finding, id }, over.over) };
  for (const one of others) combine(tally, one, one.finding.connections, one.counts);
  return tally;
}

/** As it is published and stored, with its explanation. */
export function publishedFinding(tally: Tally): Finding {
  if (tally.explain !== undefined) tally.finding = { ...tally.finding, ...tally.explain() };
  tally.explain = undefined;
  const finding = { ...tally.finding, ...storedCounts(tally.counts) };
  switch (tally.over) {
    case undefined:
      return finding;
    case 'ports':
      return { ...finding, ports: membersOf(tally.members, (port) => port), memberCounts: tally.members.text() };
    case 'protocols':
      return {
        ...finding,
        protocols: membersOf(tally.members, (one) => one),
        memberCounts: tally.members.text(),
      };
    case 'responders':
      return {
        ...finding,
        responders: membersOf(tally.members, workloadOfKey),
        memberCounts: tally.members.text(),
      };
  }
}

/** The reverse of `publishedFinding`. */
export function storedTally(stored: Finding): Tally {
  const { ports, protocols, responders, memberCounts = '', severityCounts: _, ...finding } = stored;
  const sighting = { finding, explain: undefined, counts: countsOf(stored), previous: undefined };
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

function addMember(tally: Tally, subject: Subject, connections: number): void {
  if (tally.over === 'responders') tally.members.add(subject.responder, connections);
  else if (tally.over !== undefined) tally.members.add(portOrProtocol(subject), connections);
}

function removeMember(tally: Tally, subject: Subject): boolean {
  if (tally.over === undefined) return true;
  return tally.over === 'responders'
    ? tally.members.remove(subject.responder)
    : tally.members.remove(portOrProtocol(subject));
}

/** The result has the highest severity of its connections. */
function combine(tally: Tally, { finding, explain }: Sighting, connections: number, counts: SeverityCounts): void {
  const before = { finding: tally.finding, explain: tally.explain };
  const isLatest = isLater(finding, before.finding);
  const described = isLatest ? shaped(finding, tally.over) : before.finding;
  const other = isLatest ? before : { finding, explain };
  const isOther = other.finding.connection !== undefined && !isOf(tally.previous, other.finding.connection.id);
  if (
    isOther &&
    other.finding.connection?.id !== described.connection?.id &&
    (isLatest || tally.previous === undefined)
  )
    tally.previous = other;
  if (isOf(tally.previous, described.connection?.id)) tally.previous = undefined;
  tally.counts = addSeverities(tally.counts, counts);
  tally.finding = {
    ...described,
    id: before.finding.id,
    severity: gravestOf(tally.counts) ?? finding.severity,
    connections: before.finding.connections + connections,
    firstSeenUs: Math.min(before.finding.firstSeenUs, finding.firstSeenUs),
    lastSeenUs: Math.max(before.finding.lastSeenUs, finding.lastSeenUs),
  };
  if (isLatest) tally.explain = explain;
}

/** The connection that describes the finding no longer counts in it. */
function describeOtherwise(tally: Tally): void {
  const { previous, finding } = tally;
  const { id, severity, connections, firstSeenUs, lastSeenUs } = finding;
  const described = previous === undefined ? undescribed(finding) : shaped(previous.finding, tally.over);
  tally.finding = { ...described, id, severity, connections, firstSeenUs, lastSeenUs };
  tally.explain = previous?.explain;
  tally.previous = undefined;
}

function isOf(sighting: Sighting | undefined, connectionId: string | undefined): boolean {
  return connectionId !== undefined && sighting?.finding.connection?.id === connectionId;
}

/** Of connections that end at the same time, the one with the greater id is the latest. So their order does not matter. */
function isLater(one: Finding, before: Finding): boolean {
  const [id, idBefore] = [one.connection?.id ?? '', before.connection?.id ?? ''];
  if (id === '') return false;
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
