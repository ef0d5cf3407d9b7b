// Compares the labels of a topology's connections with what the network did and what Waybill reported.
import { parseAddress } from '../../model/address.ts';
import type { ConnectionJson, FindingJson } from '../../model/json.ts';
import { reasonText } from '../../policy/explain.ts';
import type { Played } from './play.ts';

/** The reason of neighbour discovery and multicast, the same for every address. */
const localScope = reasonText({ reason: 'local-scope', address: parseAddress('ff02::1')! });

export type Labelled = {
  traffic: readonly Played[];
  inert: readonly { namespace: string; name: string }[];
  connections: readonly ConnectionJson[];
  findings: readonly FindingJson[];
};

/** One sentence per difference; empty if every connection and every finding is as labelled, and there are no others. */
export function labelDifferences({ traffic, inert, connections, findings }: Labelled): string[] {
  const differences: string[] = [];
  const expectedFindings = new Set<string>();
  const matched = new Set<string>();
  for (const played of traffic) {
    let found = connections.filter((connection) => isOf(played, connection));
    if (found.length === 0) {
      const unclaimed = connections.filter((one) => !matched.has(one.id) && !traffic.some((other) => isOf(other, one)));
      found = unclaimed.filter((one) => isByNodePort(played, one));
    }
    for (const connection of found) matched.add(connection.id);
    for (const { finding } of found) if (finding !== undefined) expectedFindings.add(finding);
    for (const fault of faultsOf(played, found, findings)) differences.push(`${played.name}: ${fault}`);
  }
  for (const { namespace, name } of inert) {
    const reported = findings.filter((finding) => finding.kind === 'inert' && isAt(finding, namespace, name));
    if (reported.length === 0) differences.push(`${namespace}/${name}: no inert finding`);
    for (const finding of reported) expectedFindings.add(finding.id);
  }
  for (const finding of findings) {
    if (!expectedFindings.has(finding.id)) differences.push(`an unexpected finding: ${JSON.stringify(finding)}`);
  }
  for (const connection of connections) {
    // Neighbour discovery and the like are not part of the script.
    if (connection.reason === localScope) continue;
    if (!matched.has(connection.id)) differences.push(`an unexpected connection: ${JSON.stringify(connection)}`);
  }
  return differences;
}

function isOf(played: Played, { protocol, initiatorPort, initiator, responder, translated }: ConnectionJson): boolean {
  if (played.sourcePort !== 0) return protocol === played.protocol && initiatorPort === played.sourcePort;
  const to: readonly (string | undefined)[] = [responder.ip, translated?.responder];
  return protocol.startsWith('ICMP') && played.from.includes(initiator.ip ?? '') && to.includes(played.to);
}

/** A node port that masquerades: the initiator is the node, with a port of its own. */
function isByNodePort({ protocol, to }: Played, connection: ConnectionJson): boolean {
  return connection.protocol === protocol && connection.initiator.ip === to;
}

function faultsOf(played: Played, found: readonly ConnectionJson[], findings: readonly FindingJson[]): string[] {
  const faults: string[] = [];
  const compare = (field: string, actual: string | undefined, expected: string | undefined) => {
    if (expected !== undefined && actual !== expected) faults.push(`${field} ${actual}, not ${expected}`);
  };
  const { label, pods } = played;
  compare('outcome in the network', played.outcome, played.expected);
  for (const { initiator } of found) if (initiator.kind !== 'node') compare('initiator', initiator.pod, pods.initiator);
  const [connection] = found.toSorted((a, b) => (a.start < b.start ? -1 : 1));
  if (connection === undefined || found.length !== label.connections) {
    const endpoints = found.map((one) => `${one.initiator.ip} -> ${one.responder.ip}:${one.port}`).join(', ');
    return [
      ...faults,
      `${found.length} connections, not ${label.connections}${endpoints === '' ? '' : ` (${endpoints})`}`,
    ];
  }
  const finding = findings.find((one) => one.id === connection.finding)?.kind ?? 'none';
  compare('responder', connection.responder.pod, pods.responder);
  compare('outcome', connection.outcome, played.expected);
  compare('verdict', connection.verdict, label.verdict);
  const expectedDelivered = label.delivered.includes(connection.delivered)
    ? connection.delivered
    : label.delivered.join(' or ');
  if (label.delivered.length > 0) compare('delivered', connection.delivered, expectedDelivered);
  compare('finding', finding, label.finding);
  compare('name', newestName(connection.responder), label.named);
  return faults;
}

function newestName({ names, unverifiedNames }: ConnectionJson['responder']): string {
  const [newest = ''] = [...names, ...(unverifiedNames ?? []).map(({ name, from }) => `${name} from ${from}`)];
  return newest;
}

function isAt({ initiator }: FindingJson, namespace: string, name: string): boolean {
  return initiator.namespace === namespace && initiator.workload === name;
}
