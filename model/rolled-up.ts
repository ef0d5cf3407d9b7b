// Text about what a rolled-up finding counts.
import type { Endpoint } from './endpoint.ts';
import { escapeControls } from './escape.ts';
import type { Finding, Members } from './finding.ts';
import { protocolName } from './protocol.ts';

type RolledUp = { ports?: { count: number }; protocols?: { count: number }; responders?: { count: number } };

/** `300 ports`, `60 responders`; undefined if the finding is not rolled up. */
export function membersText({ ports, protocols, responders }: RolledUp): string | undefined {
  if (responders !== undefined) return countText(responders.count, 'responder');
  if (protocols !== undefined) return countText(protocols.count, 'protocol');
  return ports === undefined ? undefined : countText(ports.count, 'port');
}

/** The explanation of the latest connection, and behind its first line what else the finding counts. */
export function rolledUpExplanation(finding: Finding): string {
  const count = membersText(finding);
  if (count === undefined) return finding.explanation;
  const [claim, ...rest] = finding.explanation.split('\n');
  return [`${count}, the latest: ${claim}`, `counted: ${firstText(finding)}`, ...rest].join('\n');
}

function firstText({ ports, protocols, responders }: Finding): string {
  if (responders !== undefined) return listText(responders, workloadText);
  if (protocols !== undefined) return listText(protocols, protocolName);
  return ports === undefined ? '' : listText(ports, String);
}

function listText<Member>({ count, first }: Members<Member>, text: (member: Member) => string): string {
  const hidden = count - first.length;
  // Names come from outside, and a line break in one could fake a line.
  return escapeControls(`${first.map(text).join(', ')}${hidden > 0 ? ` and ${hidden} more` : ''}`);
}

function workloadText(endpoint: Endpoint): string {
  const { kind, namespace, workload, node, service, zone, ip } = endpoint;
  switch (kind) {
    case 'pod':
    case 'host':
      return `${namespace}/${workload}`;
    case 'node':
      return `node ${node}`;
    case 'service':
      return `service ${namespace}/${service}`;
    case 'external':
      return `${zone}`;
    case 'unknown':
      return `${ip}`;
  }
}

function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
