// The design's table: what was declared against what happened (docs/findings.md). Pure; one connection at a time.

import type { Connection } from '../../model/connection.ts';
import type { EvaluatedConnection } from '../../model/evaluated.ts';
import type { FindingKind, Severity } from '../../model/finding.ts';
import { SCTP, TCP } from '../../model/protocol.ts';

/** `unknown`: refused or unanswered, and nobody saw whether it arrived. */
export type EffectiveDelivery = 'delivered' | 'not-delivered' | 'unknown';

export type Violation = { kind: Exclude<FindingKind, 'inert'>; severity: Severity; delivery: EffectiveDelivery };

/** What is held against the connection; undefined where verdict and outcome fit together, or the verdict is unknown. */
export function violationOf(evaluated: EvaluatedConnection): Violation | undefined {
  const { connection, timing } = evaluated;
  const delivery = effectiveDelivery(connection);
  if (timing.timing === 'grandfathered') return { kind: 'grandfathered', severity: 'low', delivery };
  switch (connection.verdict) {
    case 'unknown':
      return undefined;
    case 'denied':
      return deniedViolation(evaluated, delivery);
    case 'undeclared':
      return undeclaredViolation(connection, delivery);
    case 'allowed':
      return isBroken(connection, delivery) ? { kind: 'broken', severity: 'low', delivery } : undefined;
  }
}

export function effectiveDelivery(connection: Connection): EffectiveDelivery {
  if (connection.outcome === 'established' || connection.delivered.delivered === 'yes') return 'delivered';
  return connection.delivered.delivered === 'no' ? 'not-delivered' : 'unknown';
}

function deniedViolation(
  { connection, timing }: EvaluatedConnection,
  delivery: EffectiveDelivery,
): Violation | undefined {
  if (delivery !== 'delivered') return { kind: 'blocked', severity: 'medium', delivery };
  if (timing.timing === 'grace') return undefined;
  // Who began it is inferred: it may have been the other side, which a policy may allow.
  return { kind: 'bypass', severity: connection.initiatorInferred ? 'high' : 'critical', delivery };
}

function undeclaredViolation(connection: Connection, delivery: EffectiveDelivery): Violation | undefined {
  const { placement, outcome, responder, protocol } = connection;
  if (placement !== 'cross-node' && placement !== 'egress') return undefined;
  // Nothing declared could have refused it, so a refusal was the responder's own; and what needs no answer and left
  // the cluster is carried as far as anyone can see.
  const delivered =
    delivery === 'delivered' ||
    (delivery === 'unknown' && (outcome === 'refused' || (placement === 'egress' && !hasHandshake(protocol))));
  if (!delivered) return undefined;
  const toInternet = placement === 'egress' && responder.zone === 'internet';
  return { kind: 'undeclared', severity: toInternet ? 'high' : 'medium', delivery: 'delivered' };
}

/** Without a witness at the destination only TCP is called broken, by a SYN sent again and never answered. */
function isBroken(connection: Connection, delivery: EffectiveDelivery): boolean {
  if (delivery === 'not-delivered') return true;
  const { protocol, outcome, synRetries } = connection;
  return delivery === 'unknown' && outcome === 'unanswered' && protocol === TCP && synRetries > 0;
}

function hasHandshake(protocol: number): boolean {
  return protocol === TCP || protocol === SCTP;
}
