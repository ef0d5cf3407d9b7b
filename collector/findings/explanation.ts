// A finding in words for a person: what happened, what the policies say of it, and what that rests on.

import type { Connection, DeliveryUnknownReason } from '../../model/connection.ts';
import { type Endpoint, namesText } from '../../model/endpoint.ts';
import type { EvaluatedConnection } from '../../model/evaluated.ts';
import type { Observation } from '../../model/joined.ts';
import { hasPorts, protocolName } from '../../model/protocol.ts';
import type { SideJson, Verdict } from '../../model/verdict.ts';
import { verdictJson } from '../../policy/explain.ts';
import { driftText } from './drift.ts';
import type { Violation } from './violation.ts';

/** The verdict that the finding speaks of: the one in force now where the connection outlived a change. */
export function verdictInForce(evaluated: EvaluatedConnection): Verdict {
  return evaluated.timing.timing === 'grandfathered' ? evaluated.timing.deniedNow : evaluated.verdict;
}

export function sidesOf(evaluated: EvaluatedConnection): readonly SideJson[] {
  return verdictJson(verdictInForce(evaluated)).sides;
}

export function explain(violation: Violation, evaluated: EvaluatedConnection): string {
  const { connection } = evaluated;
  if (violation.kind === 'drift')
    return [claim(violation, connection), ...driftText(evaluated), ...caveats(evaluated)].join(' ');
  const sides = sidesOf(evaluated).map((side) => `${side.side}: ${side.why}.`);
  return [
    claim(violation, connection),
    ...sides,
    ...deliverySentences(violation, evaluated),
    ...caveats(evaluated),
  ].join(' ');
}

/** What a program may want of the same: numbers, and the witnesses. */
export function evidenceOf(violation: Violation, evaluated: EvaluatedConnection): Record<string, unknown> {
  const { connection, observations, masqueradeAddress, declaredVerdict } = evaluated;
  return {
    carried: violation.delivery === 'delivered',
    ...(connection.delivered.delivered === 'yes' ? { deliveredBy: connection.delivered.by } : {}),
    ...(connection.delivered.delivered === 'unknown' ? { deliveredUnknown: connection.delivered.why } : {}),
    lastSeen: connection.observed.at(-1),
    observedOn: observations.map((one) => ({ point: one.point, node: one.node, packets: one.packets })),
    synRetries: connection.synRetries,
    initiatorInferred: connection.initiatorInferred,
    ...(masqueradeAddress === undefined ? {} : { masqueradedAs: masqueradeAddress }),
    ...(violation.kind === 'drift' && declaredVerdict !== undefined ? { elsewhere: verdictJson(declaredVerdict) } : {}),
  };
}

function claim({ kind }: Violation, connection: Connection): string {
  const ends = `${nameOf(connection.initiator)} -> ${nameOf(connection.responder)} ${portOf(connection)}`;
  switch (kind) {
    case 'bypass':
      return `${ends} is denied by policy, and the network carried it.`;
    case 'blocked':
      return connection.delivered.delivered === 'no'
        ? `${ends} is denied by policy, and the network did not carry it: someone tries what is forbidden.`
        : `${ends} is denied by policy, and it got no further as far as was seen: someone tries what is forbidden.`;
    case 'undeclared':
      return `${ends} ${pathText(connection)}, and no policy speaks of it: it passes by default.`;
    case 'broken':
      return `${ends} is declared, but the network does not carry it.`;
    case 'drift':
      return `${ends}.`;
    case 'grandfathered':
      return `${ends} is denied by policy now, but the connection began before that change and still carries packets.`;
  }
}

function pathText({ placement, initiator, responder }: Connection): string {
  if (placement === 'egress') return `leaves the cluster to zone ${responder.zone ?? 'unknown'}`;
  return `crosses from node ${initiator.node ?? 'unknown'} to node ${responder.node ?? 'unknown'}`;
}

function deliverySentences(violation: Violation, { connection, observations }: EvaluatedConnection): string[] {
  const { delivered, outcome } = connection;
  const sentences: string[] = [];
  if (outcome === 'established') sentences.push('The responder answered.');
  else if (delivered.delivered === 'yes') {
    sentences.push(
      delivered.by === 'seen'
        ? "The initiator's packets were seen at the responder's interface."
        : "A refusal that left the responder's own interface proves that it arrived.",
    );
  } else if (delivered.delivered === 'no') {
    const cause = outcome === 'refused' ? 'something between them refused it' : 'it was dropped between them';
    sentences.push(
      `The initiator's packets never came to the responder's interface, which was watched all the time: ${cause}.`,
    );
  } else {
    sentences.push(
      outcome === 'refused'
        ? `It was refused, and it was not seen by whom: ${deliveryUnknownText(delivered.why)}.`
        : `Delivery was not seen either way: ${deliveryUnknownText(delivered.why)}.`,
    );
  }
  if (violation.kind === 'broken' || violation.kind === 'blocked')
    sentences.push(...otherCauses(violation, connection, observations));
  return sentences;
}

/** A failed handshake alone never blames policy. */
function otherCauses(violation: Violation, connection: Connection, observations: readonly Observation[]): string[] {
  const sentences: string[] = [];
  if (connection.synRetries > 0) {
    sentences.push(
      `The SYN was sent again ${connection.synRetries} times, last seen at the ${observations.at(-1)!.point}.`,
    );
  }
  if (violation.kind === 'broken') {
    sentences.push(
      'It may be enforcement that no declared policy asks for, a missing route, a full or failing node, or an MTU too small.',
    );
  } else if (connection.delivered.delivered !== 'yes' && connection.outcome === 'unanswered') {
    sentences.push('Other causes, such as a responder that is down, look the same from here.');
  }
  return sentences;
}

function caveats({ connection, masqueradeAddress }: EvaluatedConnection): string[] {
  const sentences: string[] = [];
  if (connection.midStream) sentences.push('It was there before the watch began.');
  if (connection.initiatorInferred) sentences.push('Who began it is inferred from order and ports.');
  if (masqueradeAddress !== undefined)
    sentences.push(`The responder's side saw it come from ${masqueradeAddress} (masqueraded).`);
  if (connection.translated !== undefined && connection.responder.ip !== connection.translated.responder) {
    const { responder, responderPort } = connection.translated;
    sentences.push(`The initiator asked for ${hostPort(responder, responderPort)}.`);
  }
  return sentences;
}

function deliveryUnknownText(why: DeliveryUnknownReason): string {
  switch (why) {
    case 'responder-outside':
      return 'no interface of a pod is where it would arrive';
    case 'not-watched':
      return "no agent watched the responder's interface for the whole time";
    case 'losses':
      return "the responder's agent lost packets meanwhile";
    case 'filters-changed':
      return "it was seen at the responder's interface while who else filters there changed, and may have been dropped behind";
    case 'half-visible':
      return "that direction is never seen at the responder's interface";
    case 'backend-not-known':
      return 'it is not known which endpoint of the Service got it';
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
      return `${endpoint.ip} (nobody known)`;
  }
}

function portOf({ protocol, port }: Connection): string {
  return hasPorts(protocol) ? `${protocolName(protocol)} ${port}` : protocolName(protocol);
}

function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
