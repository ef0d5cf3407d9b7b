// There is one finding for each kind, initiator workload, responder workload or zone, protocol and port, unless it is
// rolled up. The id is a hash of these: a re-evaluation, also after a restart, updates the same finding.
import { hash } from 'node:crypto';
import type { Address } from '../../model/address.ts';
import type { Connection } from '../../model/connection.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import type { Finding } from '../../model/finding.ts';
import { type FindingKind, findingKinds } from '../../model/finding-kind.ts';
import { hasPorts } from '../../model/protocol.ts';

/** The ends by workload. `port` is undefined for protocols without ports. */
export type FindingSubject = {
  kind: FindingKind;
  initiator: string;
  responder: string;
  protocol: number;
  port: number | undefined;
  /** The key of the reason of an unevaluated connection. Each reason has findings of its own. */
  reason?: string;
};

export function subjectOf(kind: FindingKind, connection: Connection): FindingSubject {
  const { initiator, responder, protocol, port, unknownReasonKey = '' } = connection;
  return {
    kind,
    initiator: workloadKey(initiator),
    responder: workloadKey(responder),
    protocol,
    port: hasPorts(protocol) ? port : undefined,
    ...(kind === 'unevaluated' && { reason: unknownReasonKey }),
  };
}

/** The kind of the finding that counts a stored connection. Version 0.1.0 stored the id of the finding alone. */
export function findingKindOf(connection: Connection): FindingKind | undefined {
  const { findingKind, findingId } = connection;
  if (findingKind !== undefined || findingId === '') return findingKind;
  return findingKinds.find((kind) => singleFindingId(subjectOf(kind, connection)) === findingId);
}

/** Ids of the findings that may count a stored connection. Only one of them exists. */
export function findingIdsOf(connection: Connection): string[] {
  const kind = findingKindOf(connection);
  if (kind === undefined) return [];
  const subject = subjectOf(kind, connection);
  return [respondersFindingId(subject), portsFindingId(subject), singleFindingId(subject)];
}

/** Of a finding about a workload without a connection. */
export function workloadFindingId(kind: FindingKind, workload: Endpoint): string {
  return idOf(kind, workloadKey(workload));
}

export function singleFindingId({ kind, initiator, responder, protocol, port, reason }: FindingSubject): string {
  return idOf(kind, initiator, responder, String(protocol), String(port ?? ''), reason);
}

/** Of the finding that rolls up all ports of the protocol, or all protocols without ports. */
export function portsFindingId({ kind, initiator, responder, protocol, reason }: FindingSubject): string {
  return hasPorts(protocol)
    ? idOf(kind, initiator, responder, String(protocol), 'ports', reason)
    : idOf(kind, initiator, responder, 'protocols', '', reason);
}

/** Of the finding that rolls up all responders. */
export function respondersFindingId({ kind, initiator, reason }: FindingFamily): string {
  return idOf(kind, initiator, 'responders', '', '', reason);
}

/** The findings of one kind about one initiator workload; of an unknown verdict, with one reason. */
export type FindingFamily = Pick<FindingSubject, 'kind' | 'initiator' | 'reason'>;

/** The family of a stored finding. */
export function familyOf({ kind, initiator, unknownReasonKey = '' }: Finding): FindingFamily {
  return { kind, initiator: workloadKey(initiator), ...(kind === 'unevaluated' && { reason: unknownReasonKey }) };
}

function idOf(
  kind: string,
  initiator: string,
  responder = '',
  protocol = '',
  port = '',
  reason: string | undefined = undefined,
): string {
  const parts = [kind, initiator, responder, protocol, port, ...(reason === undefined ? [] : [reason])];
  return hash('sha256', parts.join('\n'), 'hex').slice(0, 16);
}

/** Names the owner of an address by workload; `workloadOfKey` reads it. */
export function workloadKey(endpoint: Endpoint): string {
  switch (endpoint.kind) {
    case 'pod':
    case 'host':
      return `${endpoint.kind} ${endpoint.namespace}/${endpoint.workloadKind}/${endpoint.workload}`;
    case 'node':
      return `node ${endpoint.node}`;
    case 'service':
      return `service ${endpoint.namespace}/${endpoint.service}`;
    case 'external':
      return `zone ${endpoint.zone}`;
    case 'unknown':
      // A sender may choose any number of addresses.
      return 'unknown';
  }
}

/** The endpoint without its pod and address. */
export function workloadOfKey(key: string): Endpoint {
  const blank = key.indexOf(' ');
  const [kind, name] = [key.slice(0, blank), key.slice(blank + 1)];
  const [namespace = '', ...rest] = name.split('/');
  switch (kind) {
    case 'pod':
    case 'host':
      return { kind, namespace, workloadKind: rest[0] ?? '', workload: rest.slice(1).join('/') };
    case 'node':
      return { kind, node: name };
    case 'service':
      return { kind, namespace, service: rest.join('/') };
    case 'zone':
      return { kind: 'external', zone: name };
    default:
      return { kind: 'unknown', ...(blank >= 0 && { ip: name as Address }) };
  }
}
