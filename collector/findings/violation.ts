// The kind and severity of a finding, from verdict and outcome of one connection (docs/findings.md).

import type { Connection } from '../../model/connection.ts';
import type { EvaluatedConnection } from '../../model/evaluated.ts';
import type { Severity } from '../../model/finding.ts';
import type { FindingKind } from '../../model/finding-kind.ts';
import { SCTP, TCP } from '../../model/protocol.ts';
import { isLoopback } from '../identity/local-addresses.ts';

/** `unknown`: refused or unanswered, and no agent saw whether the packets arrived. */
export type EffectiveDelivery = 'delivered' | 'not-delivered' | 'unknown';

/** Kinds that `violationOf` gives. */
type ViolationKind = Exclude<FindingKind, 'inert' | 'coverage-gap' | 'drift'>;

export type Violation = {
  kind: ViolationKind | 'drift';
  severity: Severity;
  delivery: EffectiveDelivery;
};

/** Undefined if verdict and outcome fit together, or if the verdict is unknown. */
export function violationOf(evaluated: EvaluatedConnection): Violation | undefined {
  const kind = kindOf(evaluated);
  if (kind === undefined) return undefined;
  const { connection } = evaluated;
  // Undeclared connections are findings only if they were delivered, or count as delivered.
  const delivery = kind === 'undeclared' ? 'delivered' : effectiveDelivery(connection);
  return { kind, severity: severityOf(kind, connection), delivery };
}

export function isViolationKind(kind: FindingKind): kind is ViolationKind {
  return kind !== 'inert' && kind !== 'coverage-gap' && kind !== 'drift';
}

export function severityOf(kind: ViolationKind, connection: Connection): Severity {
  switch (kind) {
    case 'bypass':
      // An inferred initiator may be wrong, and a policy may allow the opposite direction. With rewritten sequence numbers,
      // the two sides may be two connections with the same ends.
      // A pod can write an acknowledgement that nobody answered.
      return connection.initiatorInferred || connection.sequenceRewritten || isOnlyAcknowledged(connection)
        ? 'high'
        : 'critical';
    case 'spoofed':
      return connection.verdict === 'denied' &&
        connection.delivered.delivered === 'yes' &&
        !isOnlyAcknowledged(connection)
        ? 'critical'
        : 'high';
    case 'undeclared':
      return connection.placement === 'egress' && connection.responder.zone === 'internet' ? 'high' : 'medium';
    case 'blocked':
      return 'medium';
    case 'foreign-source':
    case 'grandfathered':
    case 'broken':
      return 'low';
  }
}

function isOnlyAcknowledged({ delivered }: Connection): boolean {
  return delivered.delivered === 'yes' && delivered.by === 'acknowledged';
}

function kindOf({ connection, timing }: EvaluatedConnection): ViolationKind | undefined {
  const delivery = effectiveDelivery(connection);
  // Whoever sends with the address of somebody else in the cluster pretends to be them.
  if (connection.foreignSource !== undefined)
    return connection.foreignSource.of === 'nobody' ? 'foreign-source' : 'spoofed';
  if (timing.timing === 'grandfathered') return 'grandfathered';
  switch (connection.verdict) {
    case 'unknown':
      return undefined;
    case 'denied':
      if (delivery !== 'delivered') return 'blocked';
      return timing.timing === 'grace' ? undefined : 'bypass';
    case 'undeclared':
      return isUndeclared(connection, delivery) ? 'undeclared' : undefined;
    case 'allowed':
      return isBroken(connection, delivery) ? 'broken' : undefined;
  }
}

export function effectiveDelivery(connection: Connection): EffectiveDelivery {
  if (connection.delivered.delivered === 'yes') return 'delivered';
  return connection.delivered.delivered === 'no' ? 'not-delivered' : 'unknown';
}

function isUndeclared(connection: Connection, delivery: EffectiveDelivery): boolean {
  const { placement, outcome, protocol, initiator, responder } = connection;
  if (placement !== 'cross-node' && placement !== 'egress') return false;
  // No policy of the cluster can cover it.
  if (initiator.kind === 'external' && responder.kind === 'external') return false;
  if (responder.ip !== undefined && isLoopback(responder.ip)) return false;
  // No policy could have refused it, so the responder did. Without a handshake, an unanswered connection that left the
  // cluster counts as delivered.
  return (
    delivery === 'delivered' ||
    (delivery === 'unknown' && (outcome === 'refused' || (placement === 'egress' && !hasHandshake(protocol))))
  );
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
