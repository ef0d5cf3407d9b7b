// A finding in words for a person: what happened, what the policies say of it, and what that rests on.
import type { Assessed } from '../../model/assessed.ts';
import type { Connection, DeliveryDoubt } from '../../model/connection.ts';
import { type Endpoint, namesText } from '../../model/endpoint.ts';
import type { Observation } from '../../model/joined.ts';
import { hasPorts, protocolName } from '../../model/protocol.ts';
import type { SideJson, Verdict } from '../../model/verdict.ts';
import { verdictJson } from '../../policy/explain.ts';
import { driftText } from './drift.ts';
import type { Held } from './rule.ts';

/** The verdict that the finding speaks of: the one in force now where the connection outlived a change. */
export function verdictOf(assessed: Assessed): Verdict {
  return assessed.standing.standing === 'outlived' ? assessed.standing.deniedNow : assessed.verdict;
}

export function sidesOf(assessed: Assessed): readonly SideJson[] {
  return verdictJson(verdictOf(assessed)).sides;
}

export function explain(held: Held, assessed: Assessed): string {
  const { connection } = assessed;
  if (held.kind === 'drift') return [claim(held, connection), ...driftText(assessed), ...caveats(assessed)].join(' ');
  const sides = sidesOf(assessed).map((side) => `${side.side}: ${side.why}.`);
  return [claim(held, connection), ...sides, ...network(held, assessed), ...caveats(assessed)].join(' ');
}

/** What a program may want of the same: numbers, and the witnesses. */
export function evidenceOf(held: Held, assessed: Assessed): Record<string, unknown> {
  const { connection, seen, via, elsewhere } = assessed;
  return {
    carried: held.carriage === 'carried',
    ...(connection.delivered.delivered === 'yes' ? { deliveredBy: connection.delivered.by } : {}),
    ...(connection.delivered.delivered === 'unknown' ? { deliveredUnknown: connection.delivered.why } : {}),
    lastSeen: connection.observed.at(-1),
    observedOn: seen.map((one) => ({ point: one.point, node: one.node, packets: one.packets })),
    synRetries: connection.synRetries,
    initiatorInferred: connection.initiatorInferred,
    ...(via === undefined ? {} : { masqueradedAs: via }),
    ...(held.kind === 'drift' && elsewhere !== undefined ? { elsewhere: verdictJson(elsewhere) } : {}),
  };
}

function claim({ kind }: Held, connection: Connection): string {
  const ends = `${nameOf(connection.initiator)} -> ${nameOf(connection.responder)} ${portOf(connection)}`;
  switch (kind) {
    case 'bypass':
      return `${ends} is denied by policy, and the network carried it.`;
    case 'blocked':
      return connection.delivered.delivered === 'no'
        ? `${ends} is denied by policy, and the network did not carry it: someone tries what is forbidden.`
        : `${ends} is denied by policy, and it got no further as far as was seen: someone tries what is forbidden.`;
    case 'undeclared':
      return `${ends} ${crossing(connection)}, and no policy speaks of it: it passes by default.`;
    case 'broken':
      return `${ends} is declared, but the network does not carry it.`;
    case 'drift':
      return `${ends}.`;
    case 'grandfathered':
      return `${ends} is denied by policy now, but the connection began before that change and still carries packets.`;
  }
}

function crossing({ placement, initiator, responder }: Connection): string {
  if (placement === 'egress') return `leaves the cluster to zone ${responder.zone ?? 'unknown'}`;
  return `crosses from node ${initiator.node ?? 'unknown'} to node ${responder.node ?? 'unknown'}`;
}

function network(held: Held, { connection, seen }: Assessed): string[] {
  const { delivered, outcome } = connection;
  const said: string[] = [];
  if (outcome === 'established') said.push('The responder answered.');
  else if (delivered.delivered === 'yes') {
    said.push(
      delivered.by === 'seen'
        ? "The initiator's packets were seen at the responder's interface."
        : "A refusal that left the responder's own interface proves that it arrived.",
    );
  } else if (delivered.delivered === 'no') {
    const where = outcome === 'refused' ? 'something between them refused it' : 'it was dropped between them';
    said.push(
      `The initiator's packets never came to the responder's interface, which was watched all the time: ${where}.`,
    );
  } else {
    said.push(
      outcome === 'refused'
        ? `It was refused, and it was not seen by whom: ${doubtText(delivered.why)}.`
        : `Delivery was not seen either way: ${doubtText(delivered.why)}.`,
    );
  }
  if (held.kind === 'broken' || held.kind === 'blocked') said.push(...alternatives(held, connection, seen));
  return said;
}

/** A failed handshake alone never blames policy. */
function alternatives(held: Held, connection: Connection, seen: readonly Observation[]): string[] {
  const said: string[] = [];
  if (connection.synRetries > 0) {
    said.push(`The SYN was sent again ${connection.synRetries} times, last seen at the ${seen.at(-1)!.point}.`);
  }
  if (held.kind === 'broken') {
    said.push(
      'It may be enforcement that no declared policy asks for, a missing route, a full or failing node, or an MTU too small.',
    );
  } else if (connection.delivered.delivered !== 'yes' && connection.outcome === 'unanswered') {
    said.push('Other causes, such as a responder that is down, look the same from here.');
  }
  return said;
}

function caveats({ connection, via }: Assessed): string[] {
  const said: string[] = [];
  if (connection.midStream) said.push('It was there before the watch began.');
  if (connection.initiatorInferred) said.push('Who began it is inferred from order and ports.');
  if (via !== undefined) said.push(`The responder's side saw it come from ${via} (masqueraded).`);
  if (connection.translated !== undefined && connection.responder.ip !== connection.translated.responder) {
    const { responder, responderPort } = connection.translated;
    said.push(`The initiator asked for ${hostPort(responder, responderPort)}.`);
  }
  return said;
}

function doubtText(why: DeliveryDoubt): string {
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
