// Whether a line of connectivity speaks of one connection: its ends, its placement, its protocol and port. Reads the line
// as a person would, by its texts.

import type { ConnectionSet } from '../../connectivity/connection-set.ts';
import type { DeclaredEndpoint, EndpointGroupJson } from '../../connectivity/endpoint-groups.ts';
import type { Line } from '../../connectivity/lines.ts';
import { type Address, addressBytes, parseAddress, parsePrefix, prefixContainsBytes } from '../../model/address.ts';
import { hasPorts } from '../../model/protocol.ts';
import type { Flow, Party } from '../../model/verdict.ts';

/** `residents` as they were given: a party that is none of them is outside. */
export function coversFlow(
  line: Line<{ connections: ConnectionSet }>,
  flow: Flow,
  residents: readonly DeclaredEndpoint[],
): boolean {
  const { initiator, responder, protocol, port } = flow;
  if (!holdsParty(line.initiator, initiator, residents) || !holdsParty(line.responder, responder, residents))
    return false;
  if (line.placement !== undefined && line.placement !== placementOf(initiator, responder)) return false;
  return line.entry.connections.some((one) => {
    if (one.protocol === 'other') return !hasPorts(protocol);
    return one.protocol === protocol && one.ports.some(({ from, to }) => port! >= from && port! <= to);
  });
}

function holdsParty(place: EndpointGroupJson, party: Party, residents: readonly DeclaredEndpoint[]): boolean {
  for (const resident of residents) {
    if (resident.kind === 'node') {
      if (!resident.parties.includes(party)) continue;
      if (place.kind !== 'node' || !place.nodes.includes(resident.name)) return false;
      return place.ips === undefined || (party.kind === 'address' && place.ips.includes(party.address));
    }
    const pod = resident.pods.find((one) => one.party === party);
    if (pod === undefined) continue;
    if (place.kind !== 'pod' && place.kind !== 'host') return false;
    const { namespace, workload } = resident;
    if (place.namespace !== namespace || place.workload !== workload.name) return false;
    return place.workloadKind === workload.kind && (place.pods?.includes(pod.name) ?? true);
  }
  if (place.kind !== 'external' || party.kind !== 'address') return false;
  return place.addresses.some((text) => holdsAddress(text, party.address)) && fitsNames(place, party.names ?? []);
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
