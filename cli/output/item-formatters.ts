// Formats findings and connections as text.
import { namesText } from '../../model/endpoint.ts';
import type { ConnectionJson, EndpointJson, FindingJson } from '../../model/json.ts';
import { membersText } from '../../model/rolled-up.ts';
import type { ItemFormatter } from './format.ts';
import type { Style } from './table.ts';

export const findingFormatter: ItemFormatter<FindingJson> = {
  emptyText: 'no findings',
  columns: (finding, wide) => ({
    severity: finding.severity,
    kind: finding.kind,
    initiator: endpointText(finding.initiator),
    responder: respondersText(finding),
    port: portsText(finding),
    placement: finding.placement ?? '',
    count: String(finding.connections),
    'last seen': finding.lastSeen,
    ...(wide ? { outcome: finding.outcome ?? '', delivered: finding.delivered ?? '' } : {}),
  }),
  detail: (finding) => finding.explanation.split('\n'),
  compact: (finding) => {
    return `${finding.lastSeen} ${finding.severity} ${finding.kind}: ${claimOf(finding)}`;
  },
  style: (finding) => severityStyle(finding.severity),
};

export const connectionFormatter: ItemFormatter<ConnectionJson> = {
  emptyText: 'no flows',
  columns: (flow, wide) => ({
    start: flow.start,
    initiator: endpointText(flow.initiator),
    responder: endpointText(flow.responder),
    port: portText(flow),
    placement: flow.placement,
    verdict: flow.verdict,
    outcome: flow.outcome,
    delivered: flow.delivered,
    packets: `${flow.packets.forward}/${flow.packets.reverse}`,
    bytes: `${flow.bytes.forward}/${flow.bytes.reverse}`,
    ...(wide
      ? {
          from: addressText(flow.initiator.ip, flow.initiatorPort),
          to: addressText(flow.responder.ip, flow.port),
          observed: flow.observed.join(','),
          'rtt ms': flow.rttMs === undefined ? '' : String(flow.rttMs),
        }
      : {}),
  }),
  detail: (flow) => {
    const unknownReasons = [
      flow.reason === undefined ? '' : `verdict unknown: ${flow.reason}`,
      flow.deliveredReason === undefined ? '' : `delivery unknown: ${flow.deliveredReason}`,
    ];
    return [unknownReasons.filter((reason) => reason !== '').join('; ')];
  },
  compact: (flow) =>
    `${flow.start} ${endpointText(flow.initiator)} -> ${endpointText(flow.responder)} ${portText(flow)} ${flow.verdict} ` +
    `${flow.outcome} delivered=${flow.delivered} ${flow.packets.forward}/${flow.packets.reverse} packets`,
  style: () => 'plain',
};

function respondersText(finding: FindingJson): string {
  if (finding.responders !== undefined) return membersText(finding) ?? '';
  return finding.responder === undefined ? '' : endpointText(finding.responder);
}

/** `TCP 5432`; of a rolled-up finding `TCP 300 ports`. */
function portsText(finding: FindingJson): string {
  const { ports, protocols, protocol } = finding;
  if (ports === undefined && protocols === undefined) return portText(finding);
  return [protocol, membersText(finding)].filter((text) => text !== undefined).join(' ');
}

/** The first line of the explanation. */
function claimOf({ explanation }: FindingJson): string {
  return explanation.split('\n', 1)[0]!;
}

const severityStyles: Record<string, Style> = { critical: 'red', high: 'red', medium: 'yellow', low: 'blue' };

export function severityStyle(severity: string): Style {
  return severityStyles[severity] ?? 'plain';
}

/** Fields may be missing, because an endpoint may come from a file or from another version. */
export function endpointText(endpoint: EndpointJson): string {
  const qualified = (name: string | undefined) =>
    endpoint.namespace === undefined ? name : `${endpoint.namespace}/${name ?? '?'}`;
  const address = endpoint.ip ?? '?';
  switch (endpoint.kind) {
    case 'pod':
    case 'host':
      return qualified(endpoint.workload ?? endpoint.pod) ?? address;
    case 'node':
      return `node ${endpoint.node ?? address}`;
    case 'service':
      return `service ${qualified(endpoint.service) ?? address}`;
    case 'external':
      return endpoint.ip === undefined ? (endpoint.zone ?? '?') : `${endpoint.ip} (${externalDescription(endpoint)})`;
    case 'unknown':
      return `${address} (unknown)`;
  }
}

function externalDescription(endpoint: EndpointJson): string {
  return [namesText(endpoint), endpoint.zone ?? 'external'].filter((text) => text !== '').join(', ');
}

function addressText(ip: string | undefined, port: number | undefined): string {
  if (ip === undefined) return '';
  if (port === undefined) return ip;
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function portText({ protocol, port }: { protocol?: string; port?: number }): string {
  if (protocol === undefined) return '';
  return port === undefined ? protocol : `${protocol} ${port}`;
}
