// There is one finding for each kind, initiator workload, responder workload or zone, protocol and port. The id is a hash
// of these: a re-evaluation, also after a restart, updates the same finding.
import { hash } from 'node:crypto';
import type { Endpoint } from '../../model/endpoint.ts';
import type { FindingKind } from '../../model/finding.ts';

export function findingId(
  kind: FindingKind,
  initiator: Endpoint,
  responder: Endpoint | undefined,
  protocol: number | undefined,
  port: number | undefined,
): string {
  const parts = [
    kind,
    workloadKey(initiator),
    responder === undefined ? '' : workloadKey(responder),
    protocol ?? '',
    port ?? '',
  ];
  return hash('sha256', parts.join('\n'), 'hex').slice(0, 16);
}

function workloadKey(endpoint: Endpoint): string {
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
      return `unknown ${endpoint.ip}`;
  }
}
