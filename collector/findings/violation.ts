// The kind and severity of a finding, from verdict and outcome of one connection (docs/findings.md).

import type { Connection, ForeignSource } from '../../model/connection.ts';
import type { EvaluatedConnection } from '../../model/evaluated.ts';
import type { Severity } from '../../model/finding.ts';
import type { FindingKind } from '../../model/finding-kind.ts';
import { SCTP, TCP } from '../../model/protocol.ts';

/** `unknown`: refused or unanswered, and no agent saw whether the packets arrived. */
export type EffectiveDelivery = 'delivered' | 'not-delivered' | 'unknown';

export type Violation = {
  kind: Exclude<FindingKind, 'inert' | 'coverage-gap'>;
  severity: Severity;
  delivery: EffectiveDelivery;
};

/** Undefined if verdict and outcome fit together, or if the verdict is unknown. */
export function violationOf(evaluated: EvaluatedConnection): Violation | undefined {
  const { connection, timing } = evaluated;
  const delivery = effectiveDelivery(connection);
  if (connection.foreignSource !== undefined)
    return foreignSourceViolation(connection, connection.foreignSource, delivery);
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
  if (connection.delivered.delivered === 'yes') return 'delivered';
  return connection.delivered.delivered === 'no' ? 'not-delivered' : 'unknown';
}

function deniedViolation(
  { connection, timing }: EvaluatedConnection,
  delivery: EffectiveDelivery,
): Violation | undefined {
  if (delivery !== 'delivered') return { kind: 'blocked', severity: 'medium', delivery };
  if (timing.timing === 'grace') return undefined;
  // An inferred initiator may be wrong, and a policy may allow the opposite direction. With rewritten sequence numbers, the
  // two sides may be two connections with the same ends.
  const isCertain = !connection.initiatorInferred && connection.sequenceRewritten === undefined;
  return { kind: 'bypass', severity: isCertain ? 'critical' : 'high', delivery };
}

/** Whoever sends with the address of somebody else in the cluster pretends to be them. */
function foreignSourceViolation(connection: Connection, { of }: ForeignSource, delivery: EffectiveDelivery): Violation {
  if (of === 'nobody') return { kind: 'foreign-source', severity: 'low', delivery };
  const isBypass = connection.verdict === 'denied' && delivery === 'delivered';
  return { kind: 'spoofed', severity: isBypass ? 'critical' : 'high', delivery };
}

function undeclaredViolation(connection: Connection, delivery: EffectiveDelivery): Violation | undefined {
  const { placement, outcome, responder, protocol } = connection;
  if (placement !== 'cross-node' && placement !== 'egress') return undefined;
  // No policy could have refused it, so the responder did. Without a handshake, an unanswered connection that left the
  // cluster counts as delivered.
  const delivered =
    delivery === 'delivered' ||
    (delivery === 'unknown' && (outcome === 'refused' || (placement === 'egress' && !hasHandshake(protocol))));
  if (!delivered) return undefined;
  const toInternet = placement === 'egress' && responder.zone === 'internet';
  return { kind: 'undeclared', severity: toInternet ? 'high' : 'medium', delivery: 'delivered' };
}

/** If delivery is unknown, only TCP is broken, after a retransmitted SYN without an answer. */
function isBroken(connection: Connection, delivery: EffectiveDelivery): boolean {
  if (delivery === 'not-delivered') return true;
  const { protocol, outcome, synRetries } = connection;
  return delivery === 'unknown' && outcome === 'unanswered' && protocol === TCP && synRetries > 0;
}

function hasHandshake(protocol: number): boolean {
  return protocol === TCP || protocol === SCTP;
}
