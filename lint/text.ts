// Parts of policies as texts for complaints.
import type { ClusterPort, LabelSelector, Requirement } from '../model/kubernetes.ts';
import { protocolName } from '../model/protocol.ts';
import { listText } from '../policy/list-text.ts';

/** In the syntax of `kubectl -l`; long lists are shortened. */
export function selectorText(selector: LabelSelector): string {
  return listText(selector.map(requirementText), ',');
}

function requirementText({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'In':
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${listText(values)})`;
    case 'NotIn':
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${listText(values)})`;
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
  }
}

/** `TCP 443, UDP 8000-8080`. */
export function portsText(ports: readonly ClusterPort[]): string {
  return listText(ports.map(portText));
}

function portText({ protocol, port, endPort }: ClusterPort): string {
  const name = protocol === undefined ? '' : protocolName(protocol);
  const range = endPort === undefined ? `${port ?? ''}` : `${port}-${endPort}`;
  return `${name} ${range}`.trim();
}
