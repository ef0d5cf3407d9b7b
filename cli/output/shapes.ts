// Findings and connections as people read them.
import { namesText } from '../../model/endpoint.ts';
import type { ConnectionJson, EndpointJson, FindingJson } from '../../model/json.ts';
import type { Shape } from './format.ts';
import type { Style } from './table.ts';

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
    ...(wide ? { outcome: finding.outcome ?? '', delivered: finding.delivered ?? '' } : {}),
  }),
  below: (finding) => finding.explanation,
  compact: (finding) => {
    const to = finding.responder === undefined ? '' : ` -> ${endText(finding.responder)} ${portText(finding)}`;
    return `${finding.lastSeen} ${finding.severity} ${finding.kind} ${endText(finding.initiator)}${to}: ${finding.explanation}`;
  },
  style: (finding) => severityStyle(finding.severity),
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
          from: addressText(flow.initiator.ip, flow.initiatorPort),
          to: addressText(flow.responder.ip, flow.port),
          observed: flow.observed.join(','),
          'rtt ms': flow.rttMs === undefined ? '' : String(flow.rttMs),
        }
      : {}),
  }),
  below: (flow) => {
    const doubts = [
      flow.reason === undefined ? '' : `verdict unknown: ${flow.reason}`,
      flow.deliveredReason === undefined ? '' : `delivery unknown: ${flow.deliveredReason}`,
    ];
    return doubts.filter((doubt) => doubt !== '').join('; ');
  },
  compact: (flow) =>
    `${flow.start} ${endText(flow.initiator)} -> ${endText(flow.responder)} ${portText(flow)} ${flow.verdict} ` +
    `${flow.outcome} delivered=${flow.delivered} ${flow.packets.forward}/${flow.packets.reverse} packets`,
  style: () => 'plain',
};

const severityStyles: Record<string, Style> = { critical: 'red', high: 'red', medium: 'yellow', low: 'blue' };

export function severityStyle(severity: string): Style {
  return severityStyles[severity] ?? 'plain';
}

/** Falls back to what is known: an end may come from a file, or from another version. */
export function endText(end: EndpointJson): string {
  const named = (name: string | undefined) => (end.namespace === undefined ? name : `${end.namespace}/${name ?? '?'}`);
  const address = end.ip ?? '?';
  switch (end.kind) {
    case 'pod':
    case 'host':
      return named(end.workload ?? end.pod) ?? address;
    case 'node':
      return `node ${end.node ?? address}`;
    case 'service':
      return `service ${named(end.service) ?? address}`;
    case 'external':
      return end.ip === undefined ? (end.zone ?? '?') : `${end.ip} (${known(end)})`;
    case 'unknown':
      return `${address} (unknown)`;
  }
}

function known(end: EndpointJson): string {
  return [namesText(end), end.zone ?? 'external'].filter((text) => text !== '').join(', ');
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
