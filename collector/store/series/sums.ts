// What happened in one interval, summed by workload pair, verdict and placement: as many points as there are such
// groups, not as there are connections. Addresses and pods are no tags: there are too many of them.
import type { IPoint } from 'influx';
import type { Connection } from '../../../model/connection.ts';
import type { Endpoint } from '../../../model/endpoint.ts';
import type { Finding } from '../../../model/finding.ts';
import { protocolName } from '../../../model/protocol.ts';

type Counters = { packets: number; bytes: number };

/** Connections and findings whose former version is remembered, so that a later one adds only its growth. */
const remembered = 200_000;

export class Sums {
  readonly #limit: number;
  #points = new Map<string, IPoint>();
  readonly #connections = new Map<string, Counters>();
  readonly #findings = new Map<string, number>();
  #dropped = 0;

  /** Holds at most `limit` groups in one interval. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  addConnection(connection: Connection): void {
    const packets = connection.packets.forward + connection.packets.reverse;
    const bytes = connection.bytes.forward + connection.bytes.reverse;
    const before = this.#connections.get(connection.id);
    remember(this.#connections, connection.id, { packets, bytes });
    const tags = {
      ...pairTags(connection.initiator, connection.responder),
      protocol: protocolName(connection.protocol),
      verdict: connection.verdict,
      placement: connection.placement,
      outcome: connection.outcome,
    };
    this.#add('waybill_connections', tags, {
      connections: before === undefined ? 1 : 0,
      packets: Math.max(0, packets - (before?.packets ?? 0)),
      bytes: Math.max(0, bytes - (before?.bytes ?? 0)),
    });
  }

  addFinding(finding: Finding): void {
    const before = this.#findings.get(finding.id);
    remember(this.#findings, finding.id, finding.connections);
    const tags = {
      ...pairTags(finding.initiator, finding.responder),
      kind: finding.kind,
      severity: finding.severity,
      verdict: finding.connection?.verdict ?? 'none',
      placement: finding.connection?.placement ?? 'none',
    };
    this.#add('waybill_findings', tags, {
      findings: before === undefined ? 1 : 0,
      connections: Math.max(0, finding.connections - (before ?? 0)),
    });
  }

  /** The points of the interval that ends now; the next one begins empty. */
  take(atMs: number): { points: IPoint[]; dropped: number } {
    const points = [...this.#points.values()].map((point) => ({ ...point, timestamp: new Date(atMs) }));
    const dropped = this.#dropped;
    this.#points = new Map();
    this.#dropped = 0;
    return { points, dropped };
  }

  #add(measurement: string, tags: Record<string, string>, fields: Record<string, number>): void {
    const key = `${measurement}\n${Object.values(tags).join('\n')}`;
    const point = this.#points.get(key);
    if (point === undefined) {
      if (this.#points.size >= this.#limit) this.#dropped += 1;
      else this.#points.set(key, { measurement, tags, fields });
      return;
    }
    const sums = point.fields as Record<string, number>;
    for (const [name, value] of Object.entries(fields)) sums[name]! += value;
  }
}

function remember<Value>(map: Map<string, Value>, id: string, value: Value): void {
  map.delete(id);
  map.set(id, value);
  if (map.size > remembered) map.delete(map.keys().next().value!);
}

function pairTags(initiator: Endpoint, responder: Endpoint | undefined): Record<string, string> {
  return { initiator: groupOf(initiator), responder: responder === undefined ? 'none' : groupOf(responder) };
}

function groupOf(endpoint: Endpoint): string {
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
