// Whether a line of connectivity covers a flow: its ends, placement, protocol and port. Reads only what a user sees in the
// line.

import type { ConnectionSet } from '../../connectivity/connection-set.ts';
import type { DeclaredEndpoint, EndpointGroupJson } from '../../connectivity/endpoint-groups.ts';
import type { Line } from '../../connectivity/lines.ts';
import { type Address, addressBytes, parseAddress, parsePrefix, prefixContainsBytes } from '../../model/address.ts';
import { hasPorts } from '../../model/protocol.ts';
import type { Flow, Party } from '../../model/verdict.ts';

/** `endpoints` are those of the cluster state: any other party is external. */
export function coversFlow(
  line: Line<{ connections: ConnectionSet }>,
  flow: Flow,
  endpoints: readonly DeclaredEndpoint[],
): boolean {
  const { initiator, responder, protocol, port } = flow;
  if (!holdsParty(line.initiator, initiator, endpoints) || !holdsParty(line.responder, responder, endpoints))
    return false;
  if (line.placement !== undefined && line.placement !== placementOf(initiator, responder)) return false;
  return line.entry.connections.some((one) => {
    if (one.protocol === 'other') return !hasPorts(protocol);
    return one.protocol === protocol && one.ports.some(({ from, to }) => port! >= from && port! <= to);
  });
}

function holdsParty(group: EndpointGroupJson, party: Party, endpoints: readonly DeclaredEndpoint[]): boolean {
  for (const endpoint of endpoints) {
    if (endpoint.kind === 'node') {
      if (!endpoint.parties.includes(party)) continue;
      if (group.kind !== 'node' || !group.nodes.includes(endpoint.name)) return false;
      return group.ips === undefined || (party.kind === 'address' && group.ips.includes(party.address));
    }
    const pod = endpoint.pods.find((one) => one.party === party);
    if (pod === undefined) continue;
    if (group.kind !== 'pod' && group.kind !== 'host') return false;
    const { namespace, workload } = endpoint;
    if (group.namespace !== namespace || group.workload !== workload.name) return false;
    return group.workloadKind === workload.kind && (group.pods?.includes(pod.name) ?? true);
  }
  if (group.kind !== 'external' || party.kind !== 'address') return false;
  return group.addresses.some((text) => holdsAddress(text, party.address)) && fitsNames(group, party.names ?? []);
}

function holdsAddress(text: string, address: Address): boolean {
  const bytes = addressBytes(address);
  const prefix = parsePrefix(text);
  if (prefix !== undefined) return prefixContainsBytes(prefix, bytes);
  const [from, to] = text.split('-').map((one) => Buffer.from(addressBytes(parseAddress(one)!)));
  const asked = Buffer.from(bytes);
  return from!.length === asked.length && Buffer.compare(from!, asked) <= 0 && Buffer.compare(asked, to!) <= 0;
}

function fitsNames({ namesSeen, names = [], notNames = [] }: External, [name]: readonly string[]): boolean {
  if (namesSeen === undefined) return true;
  if (namesSeen === 'none' || name === undefined) return namesSeen === 'none' && name === undefined;
  if (notNames.some((pattern) => fits(pattern, name))) return false;
  return namesSeen === 'others' || names.some((pattern) => fits(pattern, name));
}

type External = EndpointGroupJson & { kind: 'external' };

function fits(pattern: string, name: string): boolean {
  return pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern;
}

function placementOf(one: Party, other: Party): string {
  const [pod, host] = one.kind === 'pod' ? [one, other] : [other, one];
  if (pod.kind !== 'pod' || host.kind !== 'address') return 'any';
  if (pod.node === '') return 'unplaced';
  return pod.node === host.node ? 'same-node' : 'cross-node';
}
