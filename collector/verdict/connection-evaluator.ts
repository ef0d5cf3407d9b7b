// Evaluates each joined connection: its ends, the verdict of the policies in force when it began, and whether a change
// before or after gives another verdict.

import type { Connection, Delivered } from '../../model/connection.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import type { EvaluatedConnection, VerdictTiming } from '../../model/evaluated.ts';
import type { JoinedConnection } from '../../model/joined.ts';
import type { Tuple } from '../../model/record.ts';
import type { Verdict } from '../../model/verdict.ts';
import { reasonText } from '../../policy/explain.ts';
import type { PolicyOptions } from '../../policy/options.ts';
import type { ClusterHistory } from '../identity/cluster-history.ts';
import type { Identities, Identity } from '../identity/identity.ts';
import type { PolicyHistory } from '../identity/policy-history.ts';
import { type Coverage, deliveredOf, type ExpectedDelivery } from '../join/delivered.ts';
import { observationsOf, outcomeOf } from '../join/outcome.ts';
import { type ConnectionEnds, endsOf, type InterfaceLookup } from './connection-ends.ts';
import { placementOf } from './placement.ts';
import { PolicyEvaluator } from './policy-evaluator.ts';

export type VerdictOptions = { policy: PolicyOptions; graceUs: number };

/** `ownerPending`: the owner of an end is not known yet, so the connection is re-evaluated while it is young. */
export type Evaluation = { evaluated: EvaluatedConnection; ownerPending: boolean };

export class ConnectionEvaluator {
  readonly #options: VerdictOptions;
  readonly #cluster: ClusterHistory;
  readonly #identities: Identities;
  readonly #coverage: Coverage & InterfaceLookup;
  readonly #clusterPolicies: PolicyEvaluator;
  readonly #declaredPolicies: PolicyEvaluator | undefined;

  /** `declaredPolicies`: with `policy.judgeBy: both`, to compare with the cluster's policies. */
  constructor(
    options: VerdictOptions,
    cluster: ClusterHistory,
    identities: Identities,
    coverage: Coverage & InterfaceLookup,
    declaredPolicies: PolicyHistory | undefined,
  ) {
    this.#options = options;
    this.#cluster = cluster;
    this.#identities = identities;
    this.#coverage = coverage;
    this.#clusterPolicies = new PolicyEvaluator(options.policy, cluster, identities, cluster.policies);
    this.#declaredPolicies =
      declaredPolicies && new PolicyEvaluator(options.policy, cluster, identities, declaredPolicies);
  }

  evaluate(joined: JoinedConnection, nowUs: number): Evaluation {
    const ends = endsOf(joined, this.#coverage);
    const initiator = this.#identities.at(ends.initiator, joined.startUs);
    const responder = this.#identities.at(ends.responder, joined.startUs);
    const verdict = this.#clusterPolicies.evaluate(joined, initiator, responder, joined.startUs);
    const declaredVerdict = this.#declaredPolicies?.evaluate(joined, initiator, responder, joined.startUs);
    const delivered = deliveredOf(joined, this.#expectedDelivery(responder, ends), this.#coverage, nowUs);
    const connection = connectionOf(
      joined,
      initiator.endpoint,
      responder.endpoint,
      delivered,
      verdict,
      declaredVerdict,
    );
    const timing = this.#timing(joined, { initiator, responder }, ends, verdict, connection);
    const evaluated: EvaluatedConnection = {
      connection,
      verdict,
      ...(declaredVerdict !== undefined && { declaredVerdict }),
      timing,
      observations: observationsOf(joined),
      masqueradeAddress: masqueradeAddressOf(joined),
    };
    return { evaluated, ownerPending: !ends.podsKnown || initiator.kind === 'unknown' || responder.kind === 'unknown' };
  }

  #expectedDelivery(responder: Identity, ends: ConnectionEnds): ExpectedDelivery {
    if (responder.kind === 'pod') return { at: 'pod', podUid: responder.uid, address: ends.responder.address };
    return responder.kind === 'service' ? { at: 'service' } : { at: 'outside' };
  }

  /** Evaluates again with the state before and after, if something changed near the connection. */
  #timing(
    joined: JoinedConnection,
    identities: { initiator: Identity; responder: Identity },
    ends: ConnectionEnds,
    verdict: Verdict,
    connection: Connection,
  ): VerdictTiming {
    const { graceUs } = this.#options;
    const settledUs = joined.lastUs - graceUs;
    if (this.#cluster.changedAtUs < joined.startUs - graceUs) return { timing: 'in-force' };
    const evaluateAt = (timeUs: number): Verdict => {
      const [initiator, responder] = [
        this.#identities.at({ ...ends.initiator, podUid: uidOf(identities.initiator) }, timeUs),
        this.#identities.at({ ...ends.responder, podUid: uidOf(identities.responder) }, timeUs),
      ];
      return this.#clusterPolicies.evaluate(joined, initiator, responder, timeUs);
    };
    if (verdict.verdict === 'denied') {
      const beforeUs = joined.startUs - graceUs;
      const podsKnown = [identities.initiator, identities.responder].every(
        (end) => end.kind !== 'pod' || this.#cluster.podKnownAt(end.uid, beforeUs),
      );
      if (podsKnown && evaluateAt(beforeUs).verdict === 'denied') return { timing: 'in-force' };
      return settledUs > joined.startUs ? { timing: 'grandfathered', deniedNow: verdict } : { timing: 'grace' };
    }
    if (connection.outcome !== 'established' || settledUs <= joined.startUs) return { timing: 'in-force' };
    const now = evaluateAt(settledUs);
    return now.verdict === 'denied' ? { timing: 'grandfathered', deniedNow: now } : { timing: 'in-force' };
  }
}

function uidOf(identity: Identity): string {
  return identity.kind === 'pod' ? identity.uid : '';
}

/** Bytes and packets are those of the source if it was observed, else of the destination (docs/join.md). */
function connectionOf(
  joined: JoinedConnection,
  initiator: Endpoint,
  responder: Endpoint,
  delivered: Delivered,
  verdict: Verdict,
  declaredVerdict: Verdict | undefined,
): Connection {
  const observations = observationsOf(joined);
  const primary = observations[0]!;
  const reason = verdict.why ?? verdict.sides.flatMap((side) => (side.verdict === 'unknown' ? [side.why] : []))[0];
  return {
    id: joined.id,
    startUs: joined.startUs,
    endUs: joined.lastUs,
    ended: observations.every((observation) => observation.ended),
    initiator,
    responder,
    translated: joined.originalTuple === joined.translatedTuple ? undefined : originalTupleOf(joined),
    protocol: joined.protocol,
    port: joined.translatedTuple.responderPort,
    initiatorPort: joined.originalTuple.initiatorPort,
    initiatorInferred: observations.every((observation) => observation.initiatorBy === 'inferred'),
    midStream: observations.every((observation) => observation.midStream),
    placement: placementOf(initiator, responder),
    outcome: outcomeOf(joined),
    delivered,
    packets: { ...primary.packets },
    bytes: { ...primary.bytes },
    rttUs: observations.find((observation) => observation.rttUs > 0)?.rttUs ?? 0,
    synRetries: Math.max(...observations.map((observation) => observation.synRetries)),
    observed: observations.map((observation) => observation.point),
    verdict: verdict.verdict,
    ...(declaredVerdict !== undefined && { declaredVerdict: declaredVerdict.verdict }),
    unknownReason: verdict.verdict === 'unknown' && reason !== undefined ? reasonText(reason) : '',
    findingId: '',
  };
}

function originalTupleOf(joined: JoinedConnection): Tuple | undefined {
  const { originalTuple, translatedTuple } = joined;
  const same =
    originalTuple.responder === translatedTuple.responder &&
    originalTuple.responderPort === translatedTuple.responderPort;
  return same && originalTuple.initiator === translatedTuple.initiator ? undefined : originalTuple;
}

function masqueradeAddressOf(joined: JoinedConnection): string | undefined {
  return joined.originalTuple.initiator === joined.translatedTuple.initiator
    ? undefined
    : joined.translatedTuple.initiator;
}
