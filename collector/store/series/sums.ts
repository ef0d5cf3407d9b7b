// Sums the changes of one interval by workload pair, verdict and placement: one point for each group, not for each
// connection. Addresses and pods are not tags, because there are too many of them. The sum of all points equals the stored
// data: if a verdict changes, one group loses as much as another gains.
import type { IPoint } from 'influx';
import type { Connection } from '../../../model/connection.ts';
import type { Endpoint } from '../../../model/endpoint.ts';
import type { Finding } from '../../../model/finding.ts';
import { protocolName } from '../../../model/protocol.ts';
import { Contributions, type Fields, type Group } from './contributions.ts';

export type SumsLimits = { maxGroups: number; maxConnections: number; maxFindings: number };

export class Sums {
  readonly #maxGroups: number;
  readonly #connections: Contributions;
  readonly #findings: Contributions;
  #points = new Map<string, Group & { fields: Fields }>();
  #dropped = 0;

  /** `maxGroups` limits the groups of one interval; the others limit what is remembered. */
  constructor(limits: SumsLimits) {
    const add = (group: Group, fields: Fields) => this.#add(group, fields);
    this.#maxGroups = limits.maxGroups;
    this.#connections = new Contributions(limits.maxConnections, add);
    this.#findings = new Contributions(limits.maxFindings, add);
  }

  addConnection(connection: Connection): void {
    this.#connections.put(
      connection.id,
      stateOf(connection),
      connectionGroup(connection),
      connectionFields(connection),
    );
  }

  addFinding(finding: Finding): void {
    this.#findings.put(finding.id, 'living', findingGroup(finding), findingFields(finding));
  }

  removeConnection(id: string): void {
    this.#connections.remove(id);
  }

  removeFinding(id: string): void {
    this.#findings.remove(id);
  }

  /** Remembers what was added before a restart. */
  restore(connections: readonly Connection[], findings: readonly Finding[]): void {
    for (const one of connections) {
      this.#connections.restore(one.id, stateOf(one), connectionGroup(one), connectionFields(one));
    }
    for (const one of findings) this.#findings.restore(one.id, 'living', findingGroup(one), findingFields(one));
  }

  /** Returns the points of the interval that ends now, and starts the next one. */
  take(atMs: number): { points: IPoint[]; dropped: number } {
    const timestamp = new Date(atMs);
    const points = [...this.#points.values()]
      .filter(({ fields }) => Object.values(fields).some((value) => value !== 0))
      .map(({ measurement, tags, fields }) => ({ measurement, tags, fields, timestamp }));
    const dropped = this.#dropped;
    this.#points = new Map();
    this.#dropped = 0;
    return { points, dropped };
  }

  #add(group: Group, fields: Fields): void {
    const point = this.#points.get(group.key);
    if (point !== undefined) {
      for (const [name, value] of Object.entries(fields)) point.fields[name]! += value;
    } else if (this.#points.size < this.#maxGroups) {
      this.#points.set(group.key, { ...group, fields: { ...fields } });
    } else {
      this.#dropped += 1;
    }
  }
}

function stateOf({ ended }: Connection): 'living' | 'ended' {
  return ended ? 'ended' : 'living';
}

function connectionGroup(connection: Connection): Group {
  return group('waybill_connections', {
    ...pairTags(connection.initiator, connection.responder),
    protocol: protocolName(connection.protocol),
    verdict: connection.verdict,
    placement: connection.placement,
    outcome: connection.outcome,
  });
}

function connectionFields({ packets, bytes }: Connection): Fields {
  return { connections: 1, packets: packets.forward + packets.reverse, bytes: bytes.forward + bytes.reverse };
}

function findingGroup(finding: Finding): Group {
  return group('waybill_findings', {
    ...pairTags(finding.initiator, finding.responder ?? finding.responders),
    kind: finding.kind,
    severity: finding.severity,
    verdict: finding.connection?.verdict ?? 'none',
    placement: finding.connection?.placement ?? 'none',
  });
}

function findingFields({ connections }: Finding): Fields {
  return { findings: 1, connections };
}

function group(measurement: string, tags: Record<string, string>): Group {
  return { key: `${measurement}\n${Object.values(tags).join('\n')}`, measurement, tags };
}

/** `many`: a finding that is rolled up over responders. */
function pairTags(initiator: Endpoint, responder: Endpoint | { count: number } | undefined): Record<string, string> {
  return { initiator: nameOf(initiator), responder: responderTag(responder) };
}

function responderTag(responder: Endpoint | { count: number } | undefined): string {
  if (responder === undefined) return 'none';
  return 'count' in responder ? 'many' : nameOf(responder);
}

function nameOf(endpoint: Endpoint): string {
  switch (endpoint.kind) {
    case 'pod':
    case 'host':
      return `${endpoint.namespace}/${endpoint.workload}`;
    case 'service':
      return `${endpoint.namespace}/${endpoint.service}`;
    case 'node':
      return `node/${endpoint.node}`;
    case 'external':
      return `zone/${endpoint.zone}`;
    case 'unknown':
      return 'unknown';
  }
}
