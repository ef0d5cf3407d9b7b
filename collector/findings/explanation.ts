// Explains a finding: as text (the claim, the evidence, what to do) and as JSON.

import type { Connection, DeliveryUnknownReason, ForeignSource } from '../../model/connection.ts';
import { type Endpoint, namesText } from '../../model/endpoint.ts';
import type { EvaluatedConnection } from '../../model/evaluated.ts';
import type { Observation } from '../../model/joined.ts';
import { hasPorts, protocolName } from '../../model/protocol.ts';
import type { SideJson, Verdict } from '../../model/verdict.ts';
import { policyText, verdictJson } from '../../policy/explain.ts';
import { listText } from '../../policy/list-text.ts';
import { driftClaim, driftEvidence } from './drift.ts';
import { explanationText } from './explanation-text.ts';
import { makesKnown } from './makes-known.ts';
import type { Violation } from './violation.ts';

/** The verdict of the finding. For a grandfathered connection, it is the verdict of the policies now in force. */
export function verdictInForce(evaluated: EvaluatedConnection): Verdict {
  return evaluated.timing.timing === 'grandfathered' ? evaluated.timing.deniedNow : evaluated.verdict;
}

export function sidesOf(evaluated: EvaluatedConnection): readonly SideJson[] {
  return verdictJson(verdictInForce(evaluated)).sides;
}

export function explain(violation: Violation, evaluated: EvaluatedConnection): string {
  const { connection } = evaluated;
  const sides = sidesOf(evaluated);
  const ends = `${nameOf(connection.initiator)} -> ${nameOf(connection.responder)} ${portOf(connection)}`;
  return explanationText({
    claim: `${ends} ${claimOf(violation, evaluated)}.`,
    evidence: [
      ...(violation.kind === 'unevaluated' ? [`reason: ${connection.unknownReason}`] : []),
      ...(violation.kind === 'drift' ? driftEvidence(evaluated) : sides.map(({ side, why }) => `${side}: ${why}`)),
      ...networkLines(violation, evaluated).map((line) => `network: ${line}`),
      ...notesOf(violation, evaluated).map((note) => `note: ${note}`),
    ],
    toDo: toDoOf(violation, evaluated, sides),
  });
}

/** The field `evidence` of a finding in JSON (docs/json.md). */
export function evidenceOf(violation: Violation, evaluated: EvaluatedConnection): Record<string, unknown> {
  const { connection, observations, masqueradeAddress, declaredVerdict } = evaluated;
  return {
    ...(violation.kind === 'unevaluated' ? { reason: connection.unknownReason } : {}),
    carried: violation.delivery === 'delivered',
    ...(connection.delivered.delivered === 'yes' ? { deliveredBy: connection.delivered.by } : {}),
    ...(connection.delivered.delivered === 'unknown' ? { deliveredUnknown: connection.delivered.why } : {}),
    lastSeen: connection.observed.at(-1),
    observedOn: observations.map((one) => ({ point: one.point, node: one.node, packets: one.packets })),
    synRetries: connection.synRetries,
    initiatorInferred: connection.initiatorInferred,
    ...(connection.sequenceRewritten === undefined ? {} : { sequenceRewritten: true }),
    ...(connection.foreignSource === undefined ? {} : { sourceAddress: connection.foreignSource.address }),
    ...(masqueradeAddress === undefined ? {} : { masqueradedAs: masqueradeAddress }),
    ...(violation.kind === 'drift' && declaredVerdict !== undefined ? { elsewhere: verdictJson(declaredVerdict) } : {}),
  };
}

/** The claim, without the ends of the connection. */
function claimOf({ kind, delivery }: Violation, evaluated: EvaluatedConnection): string {
  const { connection } = evaluated;
  switch (kind) {
    case 'bypass':
      return 'is denied by policy, and the network delivered it';
    case 'blocked':
      return delivery === 'not-delivered'
        ? 'is denied by policy, and the network did not deliver it'
        : 'is denied by policy, and no delivery was seen';
    case 'undeclared':
      return `${pathText(connection)}, and no policy covers it`;
    case 'unevaluated':
      return `${pathText(connection)}, and it is not known whether the policies allow it`;
    case 'broken':
      return delivery === 'not-delivered'
        ? 'is allowed by policy, but the network did not deliver it'
        : 'is allowed by policy, but no answer was seen';
    case 'drift':
      return driftClaim(evaluated);
    case 'spoofed':
    case 'foreign-source':
      return `was sent with the source address ${foreignText(connection.foreignSource!)}, which is not its own`;
    case 'grandfathered':
      return 'is denied by policy now, but it began before that change, and packets still flow';
  }
}

function foreignText({ address, of, owner }: ForeignSource): string {
  return of === 'nobody' ? `${address}, which nobody in the cluster has` : `${address} of ${nameOf(owner)}`;
}

function pathText({ placement, initiator, responder }: Connection): string {
  if (placement === 'egress') return 'leaves the cluster';
  return `crosses from ${initiator.node ?? 'an unknown node'} to ${responder.node ?? 'an unknown node'}`;
}

function networkLines({ kind }: Violation, { connection, observations }: EvaluatedConnection): string[] {
  if (kind !== 'broken' && kind !== 'blocked') return [deliveryText(connection)];
  return [
    deliveryText(connection),
    `${retransmittedText(connection)}packets were last seen at the ${lastSeenAt(observations)}`,
  ];
}

function retransmittedText({ synRetries }: Connection): string {
  if (synRetries === 0) return '';
  return `the SYN was retransmitted ${synRetries === 1 ? 'once' : `${synRetries} times`}; `;
}

function deliveryText({ delivered, outcome }: Connection): string {
  if (delivered.delivered === 'yes' && delivered.by === 'acknowledged')
    return 'the initiator acknowledged an answer; its interface does not show packets to the pod';
  if (outcome === 'established' && delivered.delivered === 'yes') return 'the responder answered';
  switch (delivered.delivered) {
    case 'yes':
      return delivered.by === 'seen'
        ? "packets were seen at the responder's interface"
        : "the refusal came from the responder's own interface";
    case 'no': {
      const watched = "the responder's interface was watched and nothing arrived";
      return outcome === 'refused' ? `refused on the path: ${watched}` : watched;
    }
    case 'unknown': {
      const reason = deliveryUnknownText(delivered.why);
      if (outcome === 'established') return `answered, but delivery is unknown: ${reason}`;
      return outcome === 'refused' ? `refused, but it is unknown by whom: ${reason}` : `delivery is unknown: ${reason}`;
    }
  }
}

function lastSeenAt(observations: readonly Observation[]): string {
  const { point, node } = observations.at(-1)!;
  return node === '' ? point : `${point} (node ${node})`;
}

/** What limits the claim. A failed handshake alone never blames policy. */
function notesOf({ kind, delivery }: Violation, evaluated: EvaluatedConnection): string[] {
  const { connection, masqueradeAddress } = evaluated;
  const notes: string[] = [];
  const { afterNetwork = [] } = verdictInForce(evaluated);
  if (afterNetwork.length > 0)
    notes.push(`${listText(afterNetwork.map(policyText), ' and ')} may refuse it after the network delivered it`);
  if (kind === 'blocked' && connection.outcome === 'unanswered')
    notes.push(
      delivery === 'not-delivered'
        ? 'a fault of the network, such as a missing route, looks the same'
        : 'a fault of the network, or a responder that is down, looks the same',
    );
  if (connection.midStream) notes.push('the connection began before the agent watched the interface');
  if (connection.sequenceRewritten)
    notes.push('the TCP sequence numbers differ at the two ends: something between them rewrites them');
  if (connection.initiatorInferred) notes.push('the initiator is inferred from ports and order');
  if (masqueradeAddress !== undefined)
    notes.push(`the network changes the initiator's address to ${masqueradeAddress} (masquerade)`);
  if (connection.translated !== undefined && connection.responder.ip !== connection.translated.responder) {
    const { responder, responderPort } = connection.translated;
    notes.push(`the initiator connected to ${hostPort(responder, responderPort)}, which was translated`);
  }
  return notes;
}

function toDoOf({ kind }: Violation, evaluated: EvaluatedConnection, sides: readonly SideJson[]): string {
  const { connection } = evaluated;
  switch (kind) {
    case 'bypass':
      return `find out why the CNI does not enforce ${denyingPolicies(sides)}`;
    case 'blocked':
      return `ask the owner of ${nameOf(connection.initiator)} why it tries to connect${ruleToAdd(sides)}`;
    case 'undeclared':
      return 'add a NetworkPolicy that allows it, or one that denies it';
    case 'unevaluated':
      return makesKnown(evaluated.verdict);
    case 'broken':
      return 'check routes, node health and MTU from where it was last seen, and enforcement outside of the declared policies';
    case 'grandfathered':
      return 'restart one of its ends if the connection must end';
    case 'drift':
      return 'apply the declared policies, or change them';
    case 'spoofed':
    case 'foreign-source':
      return `find out what runs in ${nameOf(connection.initiator)}; if it forwards packets of others, name it in cluster.forwarders`;
  }
}

function denyingPolicies(sides: readonly SideJson[]): string {
  const policies = sides
    .filter(({ verdict }) => verdict === 'denied')
    .flatMap(({ isolatedBy = [], decidedBy }) => [
      ...isolatedBy,
      ...(decidedBy?.policy === undefined ? [] : [decidedBy.policy]),
    ]);
  return listText([...new Set(policies)], ' and ');
}

/** Every denied side needs a rule of its own. If a side cannot be allowed by a rule, nothing is suggested. */
function ruleToAdd(sides: readonly SideJson[]): string {
  const needs = sides.filter(({ verdict }) => verdict === 'denied').map((side) => side.needs);
  if (needs.length === 0 || needs.includes(undefined)) return '';
  return `, or add ${needs.map((text) => text!.replace(/^needs /, '')).join(' and ')}`;
}

function deliveryUnknownText(why: DeliveryUnknownReason): string {
  switch (why) {
    case 'responder-outside':
      return 'the responder is not behind a pod interface';
    case 'not-watched':
      return "no agent watched the responder's interface for the whole time";
    case 'losses':
      return "the responder's agent lost packets in that time";
    case 'filters-changed':
      return "packets were seen at the responder's interface, but other TC/TCX programs there may have dropped them, or they had the link address of another host";
    case 'not-reported':
      return "the agent of the responder's node has not reported that time";
    case 'answered-in-between':
      return "the responder's interface was watched and shows neither the packets nor the answer: something in between answered";
    case 'sender-ambiguous':
      return 'another interface sent packets with the same addresses and ports at that time, or too many connections have them';
    case 'source-not-unique':
      return 'packets with a link-local source address cannot be recognised at another interface';
    case 'half-visible':
      return "the responder's interface does not show all packets that enter the pod";
    case 'backend-not-known':
      return 'it is not known which endpoint of the Service got the connection';
  }
}

export function nameOf(endpoint: Endpoint): string {
  switch (endpoint.kind) {
    case 'pod':
    case 'host':
      return `${endpoint.namespace}/${endpoint.workload}`;
    case 'node':
      return `node ${endpoint.node}`;
    case 'service':
      return `service ${endpoint.namespace}/${endpoint.service}`;
    case 'external':
      return `${endpoint.ip} (${[namesText(endpoint), endpoint.zone].filter((text) => text !== '').join(', ')})`;
    case 'unknown':
      return `${endpoint.ip} (unknown)`;
  }
}

function portOf({ protocol, port }: Connection): string {
  return hasPorts(protocol) ? `${protocolName(protocol)} ${port}` : protocolName(protocol);
}

function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
