// The verdict on each joined connection: who its ends were, what the policies in force then say of them, and whether
// the answer would be another one before or after a change.

import type { Assessed, Standing } from '../../model/assessed.ts';
import type { Connection, Delivered } from '../../model/connection.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import type { Joined } from '../../model/joined.ts';
import type { Tuple } from '../../model/record.ts';
import type { Verdict } from '../../model/verdict.ts';
import { reasonText } from '../../policy/explain.ts';
import type { PolicyOptions } from '../../policy/options.ts';
import type { ClusterHistory } from '../identity/cluster-history.ts';
import type { Identities, Identity } from '../identity/identity.ts';
import type { PolicyHistory } from '../identity/policy-history.ts';
import { type Coverage, deliveredOf, type Expected } from '../join/delivered.ts';
import { observationsOf, outcomeOf } from '../join/outcome.ts';
import { type Ends, endsOf, type Interfaces } from './ends.ts';
import { EndsJudge } from './ends-judge.ts';
import { placementOf } from './placement.ts';

export type VerdictOptions = { policy: PolicyOptions; graceUs: number };

/** `undecided`: an end has no owner yet, or its agent has not named it: judge again while the connection is young. */
export type Judgement = { assessed: Assessed; undecided: boolean };

export class Verdicts {
  readonly #options: VerdictOptions;
  readonly #cluster: ClusterHistory;
  readonly #identities: Identities;
  readonly #coverage: Coverage & Interfaces;
  readonly #judge: EndsJudge;
  readonly #elsewhere: EndsJudge | undefined;

  /** `elsewhere`: policies that are declared elsewhere, and judged by beside those of the cluster. */
  constructor(
    options: VerdictOptions,
    cluster: ClusterHistory,
    identities: Identities,
    coverage: Coverage & Interfaces,
    elsewhere: PolicyHistory | undefined,
  ) {
    this.#options = options;
    this.#cluster = cluster;
    this.#identities = identities;
    this.#coverage = coverage;
    this.#judge = new EndsJudge(options.policy, cluster, identities, cluster.policies);
    this.#elsewhere = elsewhere && new EndsJudge(options.policy, cluster, identities, elsewhere);
  }

  assess(joined: Joined, nowUs: number): Judgement {
    const ends = endsOf(joined, this.#coverage);
    const initiator = this.#identities.at(ends.initiator, joined.startUs);
    const responder = this.#identities.at(ends.responder, joined.startUs);
    const verdict = this.#judge.judge(joined, initiator, responder, joined.startUs);
    const elsewhere = this.#elsewhere?.judge(joined, initiator, responder, joined.startUs);
    const delivered = deliveredOf(joined, this.#expected(responder, ends), this.#coverage, nowUs);
    const connection = connectionOf(joined, initiator.endpoint, responder.endpoint, delivered, verdict, elsewhere);
    const standing = this.#standing(joined, { initiator, responder }, ends, verdict, connection);
    const assessed: Assessed = {
      connection,
      verdict,
      ...(elsewhere !== undefined && { elsewhere }),
      standing,
      seen: observationsOf(joined),
      via: viaOf(joined),
    };
    return { assessed, undecided: !ends.settled || initiator.is === 'nobody' || responder.is === 'nobody' };
  }

  #expected(responder: Identity, ends: Ends): Expected {
    if (responder.is === 'pod') return { at: 'pod', podUid: responder.uid, address: ends.responder.address };
    return responder.is === 'service' ? { at: 'service' } : { at: 'outside' };
  }

  /** Asks again by the state before and after, and only where something changed near the connection. */
  #standing(
    joined: Joined,
    then: { initiator: Identity; responder: Identity },
    ends: Ends,
    verdict: Verdict,
    connection: Connection,
  ): Standing {
    const { graceUs } = this.#options;
    const settledUs = joined.lastUs - graceUs;
    if (this.#cluster.changedAtUs < joined.startUs - graceUs) return { standing: 'in-force' };
    const judgeAt = (timeUs: number): Verdict => {
      const [initiator, responder] = [
        this.#identities.at({ ...ends.initiator, podUid: uidOf(then.initiator) }, timeUs),
        this.#identities.at({ ...ends.responder, podUid: uidOf(then.responder) }, timeUs),
      ];
      return this.#judge.judge(joined, initiator, responder, timeUs);
    };
    if (verdict.verdict === 'denied') {
      const beforeUs = joined.startUs - graceUs;
      const known = [then.initiator, then.responder].every(
        (end) => end.is !== 'pod' || this.#cluster.podKnownAt(end.uid, beforeUs),
      );
      if (known && judgeAt(beforeUs).verdict === 'denied') return { standing: 'in-force' };
      return settledUs > joined.startUs ? { standing: 'outlived', deniedNow: verdict } : { standing: 'grace' };
    }
    if (connection.outcome !== 'established' || settledUs <= joined.startUs) return { standing: 'in-force' };
    const now = judgeAt(settledUs);
    return now.verdict === 'denied' ? { standing: 'outlived', deniedNow: now } : { standing: 'in-force' };
  }
}

function uidOf(identity: Identity): string {
  return identity.is === 'pod' ? identity.uid : '';
}

/** Bytes and packets are the initiator's point's where there is one, else the responder's (docs/join.md). */
function connectionOf(
  joined: Joined,
  initiator: Endpoint,
  responder: Endpoint,
  delivered: Delivered,
  verdict: Verdict,
  elsewhere: Verdict | undefined,
): Connection {
  const sides = observationsOf(joined);
  const shown = sides[0]!;
  const why = verdict.why ?? verdict.sides.flatMap((side) => (side.verdict === 'unknown' ? [side.why] : []))[0];
  return {
    id: joined.id,
    startUs: joined.startUs,
    endUs: joined.lastUs,
    ended: sides.every((seen) => seen.ended),
    initiator,
    responder,
    translated: joined.asked === joined.reached ? undefined : askedOf(joined),
    protocol: joined.protocol,
    port: joined.reached.responderPort,
    initiatorPort: joined.asked.initiatorPort,
    initiatorInferred: sides.every((seen) => seen.initiatorBy === 'inferred'),
    midStream: sides.every((seen) => seen.midStream),
    placement: placementOf(initiator, responder),
    outcome: outcomeOf(joined),
    delivered,
    packets: { ...shown.packets },
    bytes: { ...shown.bytes },
    rttUs: sides.find((seen) => seen.rttUs > 0)?.rttUs ?? 0,
    synRetries: Math.max(...sides.map((seen) => seen.synRetries)),
    observed: sides.map((seen) => seen.point),
    verdict: verdict.verdict,
    ...(elsewhere !== undefined && { elsewhere: elsewhere.verdict }),
    unknownReason: verdict.verdict === 'unknown' && why !== undefined ? reasonText(why) : '',
    findingId: '',
  };
}

function askedOf(joined: Joined): Tuple | undefined {
  const { asked, reached } = joined;
  const same = asked.responder === reached.responder && asked.responderPort === reached.responderPort;
  return same && asked.initiator === reached.initiator ? undefined : asked;
}

function viaOf(joined: Joined): string | undefined {
  return joined.asked.initiator === joined.reached.initiator ? undefined : joined.reached.initiator;
}
