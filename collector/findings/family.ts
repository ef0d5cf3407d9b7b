// The findings of one kind about one initiator workload. The ports of one responder are rolled up into one finding if there
// are more than `maxSinglePorts`, and the responders if there are more than `maxSingleResponders`. A rolled-up finding stays
// rolled up until it counts nothing. Every connection counts in exactly one finding. Findings about unknown verdicts are always
// rolled up over the responders.
import type { Severity } from '../../model/finding.ts';
import {
  type FindingFamily,
  type FindingSubject,
  portsFindingId,
  respondersFindingId,
  singleFindingId,
} from './finding-id.ts';
import { KeyCounts, NumberCounts } from './member-counts.ts';
import {
  addSighting,
  addSingle,
  addTally,
  isUndescribed,
  type PortsTally,
  portGroup,
  portOrProtocol,
  type RespondersTally,
  removeConnection,
  rollUp,
  type Sighting,
  type Subject,
  severityChange,
  singleTally,
  type Tally,
  tallySubject,
} from './tally.ts';

export const maxSinglePorts = 20;
export const maxSingleResponders = 50;
/** The first responder is rolled up already. */
const alwaysRolledUp = 0;

/** The findings about one responder and one protocol, or about all protocols without ports. */
type Group = { rolledUp: PortsTally | undefined; singles: Map<number, Tally> };

export class Family {
  readonly kind: FindingSubject['kind'];
  readonly initiator: string;
  readonly reason: string | undefined;
  readonly #maxSingleResponders: number;
  /** Whether it has all that the store has of it. `load` makes it complete. */
  #complete: boolean;
  #rolledUp: RespondersTally | undefined;
  /** By responder, then by protocol. */
  readonly #groups = new Map<string, Map<string, Group>>();
  readonly #tallies = new Map<string, Tally>();
  readonly #changed = new Set<string>();
  /** Connections that stored findings no longer count, until `load`. */
  #withdrawn: { subject: Subject; connectionId: string; severity: Severity }[] = [];

  constructor({ kind, initiator, reason }: FindingFamily, stored: 'nothing' | 'unknown') {
    this.kind = kind;
    this.initiator = initiator;
    this.reason = reason;
    this.#maxSingleResponders = kind === 'unevaluated' ? alwaysRolledUp : maxSingleResponders;
    this.#complete = stored === 'nothing';
  }

  get complete(): boolean {
    return this.#complete;
  }

  get undescribed(): boolean {
    return (
      this.#complete &&
      [...this.#changed].some((id) => {
        const tally = this.#tallies.get(id);
        return tally !== undefined && isUndescribed(tally);
      })
    );
  }

  get size(): number {
    return this.#tallies.size;
  }

  /** `formerSeverity`: of a connection that counts already. */
  add(subject: Subject, sighting: Sighting, formerSeverity: Severity | undefined): void {
    const tally = this.#find(subject);
    if (tally === undefined) {
      this.#addSingle(subject, sighting, formerSeverity);
      return;
    }
    addSighting(tally, subject, sighting, formerSeverity);
    this.#changed.add(tally.finding.id);
  }

  remove(subject: Subject, connectionId: string, severity: Severity): void {
    const tally = this.#find(subject);
    if (tally !== undefined && removeConnection(tally, subject, connectionId, severity)) {
      this.#changed.add(tally.finding.id);
      if (tally.finding.connections === 0) this.#delete(tally, subject);
    } else if (!this.#complete) this.#withdrawn.push({ subject, connectionId, severity });
  }

  /** The id of the finding that counts the connections of this subject, if there is one. */
  idOf(subject: Subject): string | undefined {
    return this.#find(subject)?.finding.id;
  }

  /** Whether a complete finding counts the connections of this subject, and describes none of them. */
  lacksDescription(subject: Subject): boolean {
    const tally = this.#complete ? this.#find(subject) : undefined;
    return tally !== undefined && isUndescribed(tally);
  }

  tallies(): Iterable<Tally> {
    return this.#tallies.values();
  }

  /** What changed since the previous call, and the ids of findings that no longer exist. */
  takeChanges(): { put: Tally[]; removed: string[] } {
    const ids = [...this.#changed];
    this.#changed.clear();
    return {
      put: ids.map((id) => this.#tallies.get(id)).filter((tally) => tally !== undefined),
      removed: ids.filter((id) => !this.#tallies.has(id)),
    };
  }

  /** Adds the stored findings to those that were counted without them. */
  load(stored: readonly Tally[]): void {
    const counted = [...this.#tallies.values()];
    const withdrawn = this.#withdrawn;
    this.#rolledUp = undefined;
    for (const collection of [this.#groups, this.#tallies, this.#changed]) collection.clear();
    this.#withdrawn = [];
    this.#complete = true;
    for (const tally of stored) this.#insert(tally);
    for (const { subject, connectionId, severity } of withdrawn) this.remove(subject, connectionId, severity);
    for (const tally of counted) this.#merge(tally);
  }

  get #family(): FindingFamily {
    const { kind, initiator, reason } = this;
    return { kind, initiator, ...(reason !== undefined && { reason }) };
  }

  #fullSubject({ responder, protocol, port }: Subject): FindingSubject {
    return { ...this.#family, responder, protocol, port };
  }

  #find(subject: Subject): Tally | undefined {
    if (this.#rolledUp !== undefined) return this.#rolledUp;
    const group = this.#groups.get(subject.responder)?.get(portGroup(subject.protocol));
    return group?.rolledUp ?? group?.singles.get(portOrProtocol(subject));
  }

  #addSingle(subject: Subject, sighting: Sighting, formerSeverity: Severity | undefined): void {
    const id = singleFindingId(this.#fullSubject(subject));
    // A connection that counts already is in a stored finding, unless the store lost it.
    const former = this.#complete ? undefined : formerSeverity;
    this.#insertSingle(
      subject,
      singleTally(sighting, id, former === undefined ? 1 : 0, severityChange(sighting, former)),
    );
  }

  #insertSingle(subject: Subject, tally: Tally): void {
    this.#insert(tally);
    this.#changed.add(tally.finding.id);
    if (this.#groupOf(subject).singles.size > maxSinglePorts) this.#rollUpPorts(subject);
    if (this.#groups.size > this.#maxSingleResponders) this.#rollUpResponders();
  }

  /** Adds a finding that was counted before the stored ones were loaded. */
  #merge(tally: Tally): void {
    const { connections } = tally.finding;
    // Without connections, it describes a stored finding. Otherwise the connections were withdrawn later.
    const isCounted = connections > 0;
    if (tally.over === undefined) {
      const subject = tallySubject(tally);
      const into = this.#find(subject);
      if (into === undefined) {
        if (isCounted) this.#insertSingle(subject, tally);
        return;
      }
      addSingle(into, subject, tally);
      this.#changed.add(into.finding.id);
      return;
    }
    const into = tally.over === 'responders' ? this.#toRespondersTally() : this.#toPortsTally(tallySubject(tally));
    if (into === undefined) {
      if (!isCounted) return;
      this.#insert(tally);
    } else if (into.over === tally.over) addTally(into, tally);
    else addSingle(into, tallySubject(tally), tally);
    this.#changed.add((into ?? tally).finding.id);
    if (this.#groups.size > this.#maxSingleResponders) this.#rollUpResponders();
  }

  /** Rolls up what is there. Undefined if nothing is. */
  #toRespondersTally(): RespondersTally | undefined {
    if (this.#groups.size > 0) this.#rollUpResponders();
    return this.#rolledUp;
  }

  #toPortsTally(subject: Subject): PortsTally | RespondersTally | undefined {
    if (this.#rolledUp !== undefined) return this.#rolledUp;
    const group = this.#groups.get(subject.responder)?.get(portGroup(subject.protocol));
    if (group !== undefined && group.singles.size > 0) this.#rollUpPorts(subject);
    return group?.rolledUp;
  }

  #rollUpPorts(subject: Subject): void {
    const group = this.#groupOf(subject);
    const members = new NumberCounts();
    for (const [member, { finding }] of group.singles) members.add(member, finding.connections);
    const over = portGroup(subject.protocol) === 'protocols' ? 'protocols' : 'ports';
    const id = portsFindingId(this.#fullSubject(subject));
    this.#replace([...group.singles.values()], rollUp(id, { over, members }, [...group.singles.values()]));
    group.singles.clear();
  }

  #rollUpResponders(): void {
    const members = new KeyCounts();
    const tallies: Tally[] = [];
    for (const [responder, groups] of this.#groups) {
      for (const { rolledUp, singles } of groups.values()) {
        for (const tally of rolledUp === undefined ? singles.values() : [rolledUp]) {
          members.add(responder, tally.finding.connections);
          tallies.push(tally);
        }
      }
    }
    this.#groups.clear();
    this.#replace(tallies, rollUp(respondersFindingId(this.#family), { over: 'responders', members }, tallies));
  }

  #replace(tallies: readonly Tally[], by: Tally): void {
    for (const { finding } of tallies) {
      this.#tallies.delete(finding.id);
      this.#changed.add(finding.id);
    }
    this.#insert(by);
    this.#changed.add(by.finding.id);
  }

  #insert(tally: Tally): void {
    this.#tallies.set(tally.finding.id, tally);
    if (tally.over === 'responders') this.#rolledUp = tally;
    else if (tally.over !== undefined) this.#groupOf(tallySubject(tally)).rolledUp = tally;
    else this.#groupOf(tallySubject(tally)).singles.set(portOrProtocol(tallySubject(tally)), tally);
  }

  #delete(tally: Tally, subject: Subject): void {
    this.#tallies.delete(tally.finding.id);
    if (tally.over === 'responders') {
      this.#rolledUp = undefined;
      return;
    }
    const groups = this.#groups.get(subject.responder)!;
    const group = groups.get(portGroup(subject.protocol))!;
    if (tally.over === undefined) group.singles.delete(portOrProtocol(subject));
    else group.rolledUp = undefined;
    if (group.singles.size === 0 && group.rolledUp === undefined) groups.delete(portGroup(subject.protocol));
    if (groups.size === 0) this.#groups.delete(subject.responder);
  }

  #groupOf({ responder, protocol }: Subject): Group {
    const groups = this.#groups.get(responder) ?? new Map<string, Group>();
    this.#groups.set(responder, groups);
    const group = groups.get(portGroup(protocol)) ?? { rolledUp: undefined, singles: new Map() };
    groups.set(portGroup(protocol), group);
    return group;
  }
}
