// The design's table: what was declared against what happened (docs/findings.md). Pure; one connection at a time.
import type { Assessed } from '../../model/assessed.ts';
import type { Connection } from '../../model/connection.ts';
import type { FindingKind, Severity } from '../../model/finding.ts';
import { SCTP, TCP } from '../../model/protocol.ts';

/** `doubt`: refused or unanswered, and nobody saw whether it arrived. */
export type Carriage = 'carried' | 'not-carried' | 'doubt';

export type Held = { kind: Exclude<FindingKind, 'inert'>; severity: Severity; carriage: Carriage };

/** What is held against the connection; undefined where verdict and outcome fit together, or the verdict is unknown. */
export function held(assessed: Assessed): Held | undefined {
  const { connection, standing } = assessed;
  const carriage = carriageOf(connection);
  if (standing.standing === 'outlived') return { kind: 'grandfathered', severity: 'low', carriage };
  switch (connection.verdict) {
    case 'unknown':
      return undefined;
    case 'denied':
      return denied(assessed, carriage);
    case 'undeclared':
      return undeclared(connection, carriage);
    case 'allowed':
      return isBroken(connection, carriage) ? { kind: 'broken', severity: 'low', carriage } : undefined;
  }
}

export function carriageOf(connection: Connection): Carriage {
  if (connection.outcome === 'established' || connection.delivered.delivered === 'yes') return 'carried';
  return connection.delivered.delivered === 'no' ? 'not-carried' : 'doubt';
}

function denied({ connection, standing }: Assessed, carriage: Carriage): Held | undefined {
  if (carriage !== 'carried') return { kind: 'blocked', severity: 'medium', carriage };
  if (standing.standing === 'grace') return undefined;
  // Who began it is inferred: it may have been the other side, which a policy may allow.
  return { kind: 'bypass', severity: connection.initiatorInferred ? 'high' : 'critical', carriage };
}

function undeclared(connection: Connection, carriage: Carriage): Held | undefined {
  const { placement, outcome, responder, protocol } = connection;
  if (placement !== 'cross-node' && placement !== 'egress') return undefined;
  // Nothing declared could have refused it, so a refusal was the responder's own; and what needs no answer and left
  // the cluster is carried as far as anyone can see.
  const crossed =
    carriage === 'carried' ||
    (carriage === 'doubt' && (outcome === 'refused' || (placement === 'egress' && !hasHandshake(protocol))));
  if (!crossed) return undefined;
  const toInternet = placement === 'egress' && responder.zone === 'internet';
  return { kind: 'undeclared', severity: toInternet ? 'high' : 'medium', carriage: 'carried' };
}

/** Without a witness at the destination only TCP is called broken, by a SYN sent again and never answered. */
function isBroken(connection: Connection, carriage: Carriage): boolean {
  if (carriage === 'not-carried') return true;
  const { protocol, outcome, synRetries } = connection;
  return carriage === 'doubt' && outcome === 'unanswered' && protocol === TCP && synRetries > 0;
}

function hasHandshake(protocol: number): boolean {
  return protocol === TCP || protocol === SCTP;
}
