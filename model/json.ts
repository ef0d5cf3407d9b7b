// Findings and connections as JSON, the same from every command and the API (docs/json.md).
import type { Address } from './address.ts';
import type { Connection } from './connection.ts';
import type { Endpoint, Placement } from './endpoint.ts';
import type { Finding, Members } from './finding.ts';
import { hasPorts, protocolName } from './protocol.ts';
import type { ObservationPoint, PerDirection, Tuple } from './record.ts';
import { rolledUpExplanation } from './rolled-up.ts';
import type { SideJson } from './verdict.ts';

export type EndpointJson = Endpoint & { names: readonly string[] };

export type FindingJson = {
  id: string;
  kind: string;
  severity: string;
  initiator: EndpointJson;
  responder?: EndpointJson;
  protocol?: string;
  port?: number;
  ports?: Members<number>;
  protocols?: Members<string>;
  responders?: Members<EndpointJson>;
  placement?: Placement;
  verdict?: string;
  outcome?: string;
  delivered?: string;
  connections: number;
  firstSeen: string;
  lastSeen: string;
  explanation: string;
  sides: readonly SideJson[];
  evidence: Record<string, unknown>;
};

export type ConnectionJson = {
  id: string;
  start: string;
  end: string;
  initiator: EndpointJson;
  responder: EndpointJson;
  sourceAddress?: Address;
  translated?: Tuple;
  protocol: string;
  port?: number;
  initiatorPort?: number;
  placement: Placement;
  verdict: string;
  elsewhere?: string;
  reason?: string;
  outcome: string;
  delivered: string;
  deliveredReason?: string;
  packets: PerDirection<number>;
  bytes: PerDirection<number>;
  rttMs?: number;
  observed: readonly ObservationPoint[];
  names: readonly string[];
  ended: boolean;
  initiatorInferred: boolean;
  midStream: boolean;
  synRetries: number;
  sequenceRewritten?: boolean;
  finding?: string;
};

export function findingJson(finding: Finding): FindingJson {
  const { id, kind, severity, connection, connections, sides, evidence, ports, protocols, responders } = finding;
  return {
    id,
    kind,
    severity,
    initiator: endpointJson(finding.initiator),
    ...(finding.responder === undefined ? {} : { responder: endpointJson(finding.responder) }),
    ...(finding.protocol === undefined ? {} : { protocol: protocolName(finding.protocol) }),
    ...(finding.port === undefined ? {} : { port: finding.port }),
    ...(ports === undefined ? {} : { ports }),
    ...(protocols === undefined ? {} : { protocols: { ...protocols, first: protocols.first.map(protocolName) } }),
    ...(responders === undefined ? {} : { responders: { ...responders, first: responders.first.map(endpointJson) } }),
    ...(connection === undefined
      ? {}
      : {
          placement: connection.placement,
          verdict: connection.verdict,
          outcome: connection.outcome,
          delivered: connection.delivered.delivered,
        }),
    connections,
    firstSeen: timeText(finding.firstSeenUs),
    lastSeen: timeText(finding.lastSeenUs),
    explanation: rolledUpExplanation(finding),
    sides,
    evidence,
  };
}

export function connectionJson(connection: Connection): ConnectionJson {
  const { id, initiator, responder, translated, protocol, delivered, rttUs, findingId, unknownReason } = connection;
  const names = [...new Set([...(initiator.names ?? []), ...(responder.names ?? [])])];
  return {
    id,
    start: timeText(connection.startUs),
    end: timeText(connection.endUs),
    initiator: endpointJson(initiator),
    responder: endpointJson(responder),
    ...(connection.foreignSource === undefined ? {} : { sourceAddress: connection.foreignSource.address }),
    ...(translated === undefined ? {} : { translated }),
    protocol: protocolName(protocol),
    ...(hasPorts(protocol) ? { port: connection.port, initiatorPort: connection.initiatorPort } : {}),
    placement: connection.placement,
    verdict: connection.verdict,
    ...(connection.declaredVerdict === undefined ? {} : { elsewhere: connection.declaredVerdict }),
    ...(unknownReason === '' ? {} : { reason: unknownReason }),
    outcome: connection.outcome,
    delivered: delivered.delivered,
    ...(delivered.delivered === 'unknown' ? { deliveredReason: delivered.why } : {}),
    packets: connection.packets,
    bytes: connection.bytes,
    ...(rttUs > 0 ? { rttMs: Math.round(rttUs) / 1000 } : {}),
    observed: connection.observed,
    names,
    ended: connection.ended,
    initiatorInferred: connection.initiatorInferred,
    midStream: connection.midStream,
    synRetries: connection.synRetries,
    ...(connection.sequenceRewritten === undefined ? {} : { sequenceRewritten: true }),
    ...(findingId === '' ? {} : { finding: findingId }),
  };
}

/** 9999-12-31: the last time that RFC 3339 can show. */
export const maxShownUs = 253_402_300_799_999_000;

/** RFC 3339, UTC, milliseconds. Throws if the time is not in the years 0 to 9999. */
export function timeText(us: number): string {
  return new Date(Math.floor(us / 1000)).toISOString();
}

function endpointJson(endpoint: Endpoint): EndpointJson {
  return { ...endpoint, names: endpoint.names ?? [] };
}
