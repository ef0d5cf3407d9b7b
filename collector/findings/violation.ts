// The kind and severity of a finding, from verdict and outcome of one connection (docs/findings.md).

import type { Connection } from '../../model/connection.ts';
import type { EvaluatedConnection } from '../../model/evaluated.ts';
import type { Severity } from '../../model/finding.ts';
import type { FindingKind } from '../../model/finding-kind.ts';
import { SCTP, TCP } from '../../model/protocol.ts';
import type { UnknownReason, Verdict } from '../../model/verdict.ts';
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

/** Undefined if verdict and outcome fit together. */
export function violationOf(evaluated: EvaluatedConnection): Violation | undefined {
  const kind = kindOf(evaluated);
  if (kind === undefined) return undefined;
  const { connection } = evaluated;
  // Undeclared and unevaluated connections are findings only if they were delivered, or count as delivered.
  const delivery = kind === 'undeclared' || kind === 'unevaluated' ? 'delivered' : effectiveDelivery(connection);
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
    case 'unevaluated':
      return connection.placement === 'egress' && connection.responder.zone === 'internet' ? 'medium' : 'low';
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

function kindOf({ connection, timing, verdict }: EvaluatedConnection): ViolationKind | undefined {
  const delivery = effectiveDelivery(connection);
  // Whoever sends with the address of somebody else in the cluster pretends to be them.
  if (connection.foreignSource !== undefined)
    return connection.foreignSource.of === 'nobody' ? 'foreign-source' : 'spoofed';
  if (timing.timing === 'grandfathered') return 'grandfathered';
  switch (connection.verdict) {
    case 'unknown':
      return isUnevaluated(connection, verdict, delivery) ? 'unevaluated' : undefined;
    case 'denied':
      if (delivery !== 'delivered') return 'blocked';
      return timing.timing === 'grace' ? undefined : 'bypass';
    case 'undeclared':
      return isUndeclared(connection, delivery) ? 'undeclared' : undefined;
    case 'allowed':
      // A policy that acts after the network may have refused it.
      return verdict.afterNetwork === undefined && isBroken(connection, delivery) ? 'broken' : undefined;
  }
}

export function effectiveDelivery(connection: Connection): EffectiveDelivery {
  if (connection.delivered.delivered === 'yes') return 'delivered';
  return connection.delivered.delivered === 'no' ? 'not-delivered' : 'unknown';
}

/** Crosses nodes or leaves the cluster, and a policy could cover it. */
function isOfConcern({ placement, initiator, responder }: Connection): boolean {
  if (placement !== 'cross-node' && placement !== 'egress') return false;
  if (initiator.kind === 'external' && responder.kind === 'external') return false;
  return responder.ip === undefined || !isLoopback(responder.ip);
}

function isUndeclared(connection: Connection, delivery: EffectiveDelivery): boolean {
  if (!isOfConcern(connection)) return false;
  const { placement, outcome, protocol } = connection;
  // No policy could have refused it, so the responder did. Without a handshake, an unanswered connection that left the
  // cluster counts as delivered.
  return (
    delivery === 'delivered' ||
    (delivery === 'unknown' && (outcome === 'refused' || (placement === 'egress' && !hasHandshake(protocol))))
  );
}

/** Transient reasons are no finding: the connection is evaluated again when the state of the cluster is known. */
function isUnevaluated(connection: Connection, verdict: Verdict, delivery: EffectiveDelivery): boolean {
  const { placement, protocol, initiator } = connection;
  // A finding is about a workload. An address without an owner may get one in a moment.
  if (!isOfConcern(connection) || initiator.kind === 'unknown') return false;
  const why = unknownReasonOf(verdict);
  if (why === undefined || why.reason === 'cluster-not-synced' || why.reason === 'local-scope') return false;
  // The finding would accuse the pod that has the address.
  if (why.reason === 'sender-not-seen') return false;
  if (why.reason === 'cluster-stale' && why.kinds.some(({ untilUs }) => untilUs === undefined)) return false;
  return delivery === 'delivered' || (delivery === 'unknown' && placement === 'egress' && !hasHandshake(protocol));
}

/** The reason of the verdict, or of its first side that is unknown. */
export function unknownReasonOf({ why, sides }: Verdict): UnknownReason | undefined {
  return why ?? sides.flatMap((side) => (side.verdict === 'unknown' ? [side.why] : []))[0];
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
