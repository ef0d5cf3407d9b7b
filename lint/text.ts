// Parts of policies as texts for complaints.
import type { ClusterPort, LabelSelector } from '../model/kubernetes.ts';
import { protocolName } from '../model/protocol.ts';
import { listText } from '../policy/list-text.ts';
import { requirementText } from '../policy/selector-text.ts';

/** In the syntax of `kubectl -l`; long lists are shortened. */
export function selectorText(selector: LabelSelector): string {
  return listText(
    selector.map((one) => requirementText(one, listText)),
    ',',
  );
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
