// Findings and connections as people read them.
import type { ConnectionJson, EndpointJson, FindingJson } from '../../model/json.ts';
import type { Shape } from './format.ts';

export const findingShape: Shape<FindingJson> = {
  none: 'no findings',
  columns: (finding, wide) => ({
    severity: finding.severity,
    kind: finding.kind,
    initiator: endText(finding.initiator),
    responder: finding.responder === undefined ? '' : endText(finding.responder),
    port: portText(finding),
    placement: finding.placement ?? '',
    count: String(finding.connections),
    'last seen': finding.lastSeen,
    ...(wide
      ? { outcome: finding.outcome ?? '', delivered: finding.delivered ?? '', explanation: finding.explanation }
      : {}),
  }),
  compact: (finding) => {
    const to = finding.responder === undefined ? '' : ` -> ${endText(finding.responder)} ${portText(finding)}`;
    return `${finding.lastSeen} ${finding.severity} ${finding.kind} ${endText(finding.initiator)}${to}: ${finding.explanation}`;
  },
};

export const connectionShape: Shape<ConnectionJson> = {
  none: 'no flows',
  columns: (flow, wide) => ({
    start: flow.start,
    initiator: endText(flow.initiator),
    responder: endText(flow.responder),
    port: portText(flow),
    placement: flow.placement,
    verdict: flow.verdict,
    outcome: flow.outcome,
    delivered: flow.delivered,
    packets: `${flow.packets.forward}/${flow.packets.reverse}`,
    bytes: `${flow.bytes.forward}/${flow.bytes.reverse}`,
    ...(wide
      ? {
          from: `${flow.initiator.ip ?? ''}:${flow.initiatorPort ?? ''}`,
          to: flow.responder.ip ?? '',
          observed: flow.observed.join(','),
          'rtt ms': flow.rttMs === undefined ? '' : String(flow.rttMs),
          reason: flow.reason ?? flow.deliveredReason ?? '',
        }
      : {}),
  }),
  compact: (flow) =>
    `${flow.start} ${endText(flow.initiator)} -> ${endText(flow.responder)} ${portText(flow)} ${flow.verdict} ` +
    `${flow.outcome} delivered=${flow.delivered} ${flow.packets.forward}/${flow.packets.reverse} packets`,
};

export function endText(end: EndpointJson): string {
  switch (end.kind) {
    case 'pod':
    case 'host':
      return `${end.namespace}/${end.workload}`;
    case 'node':
      return `node ${end.node}`;
    case 'service':
      return `service ${end.namespace}/${end.service}`;
    case 'external':
      return `${end.ip} (${end.zone})`;
    case 'unknown':
      return `${end.ip} (unknown)`;
  }
}

function portText({ protocol, port }: { protocol?: string; port?: number }): string {
  if (protocol === undefined) return '';
  return port === undefined ? protocol : `${protocol} ${port}`;
}
