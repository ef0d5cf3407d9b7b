// The verdict on each joined connection: who its ends were, what the policies in force then say of them, and whether
// the answer would be another one before or after a change.

import type { Assessed, Standing } from '../../model/assessed.ts';
import type { Connection, Delivered } from '../../model/connection.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import type { Joined } from '../../model/joined.ts';
import { hasPorts } from '../../model/protocol.ts';
import type { Tuple } from '../../model/record.ts';
import type { Verdict } from '../../model/verdict.ts';
import { CachedJudge } from '../../policy/cached-judge.ts';
import { reasonText } from '../../policy/explain.ts';
import { agreed, together } from '../../policy/judge.ts';
import type { PolicyOptions } from '../../policy/options.ts';
import type { ClusterHistory } from '../identity/cluster-history.ts';
import type { Identities, Identity } from '../identity/identity.ts';
import { type Coverage, deliveredOf, type Expected } from '../join/delivered.ts';
import { observationsOf, outcomeOf } from '../join/outcome.ts';
import { type Ends, endsOf, type Interfaces } from './ends.ts';
import { isLocalScope } from './local-scope.ts';
import { placementOf } from './placement.ts';

export type VerdictOptions = { policy: PolicyOptions; graceUs: number };

/** `undecided`: an end has no owner yet, or its agent has not named it: judge again while the connection is young. */
export type Judgement = { assessed: Assessed; undecided: boolean };

/** A power of two. */
const verdictsKept = 2 ** 17;

export class Verdicts {
  readonly #options: VerdictOptions;
  readonly #cluster: ClusterHistory;
  readonly #identities: Identities;
  readonly #coverage: Coverage & Interfaces;
  readonly #policyJudge: CachedJudge;

  constructor(
    options: VerdictOptions,
    cluster: ClusterHistory,
    identities: Identities,
    coverage: Coverage & Interfaces,
  ) {
    this.#options = options;
    this.#cluster = cluster;
    this.#identities = identities;
    this.#coverage = coverage;
    this.#policyJudge = new CachedJudge(options.policy, verdictsKept);
  }

  assess(joined: Joined, nowUs: number): Judgement {
    const ends = endsOf(joined, this.#coverage);
    const initiator = this.#identities.at(ends.initiator, joined.startUs);
    const responder = this.#identities.at(ends.responder, joined.startUs);
    const verdict = this.#judge(joined, initiator, responder, joined.startUs);
    const delivered = deliveredOf(joined, this.#expected(responder, ends, joined), this.#coverage, nowUs);
    const connection = connectionOf(joined, initiator.endpoint, responder.endpoint, delivered, verdict);
    const standing = this.#standing(joined, { initiator, responder }, ends, verdict, connection);
    const assessed: Assessed = { connection, verdict, standing, seen: observationsOf(joined), via: viaOf(joined) };
    return { assessed, undecided: !ends.settled || initiator.is === 'nobody' || responder.is === 'nobody' };
  }

  #judge(joined: Joined, initiator: Identity, responder: Identity, timeUs: number): Verdict {
    if (isLocalScope(joined.protocol, joined.asked)) {
      return { verdict: 'unknown', sides: [], why: { reason: 'local-scope', address: joined.asked.responder } };
    }
    for (const end of [initiator, responder]) {
      if (end.is === 'nobody') return { verdict: 'unknown', sides: [], why: end.why };
    }
    if (initiator.is === 'service' || initiator.is === 'nobody' || responder.is === 'nobody') {
      return { verdict: 'unknown', sides: [], why: { reason: 'source-translated' } };
    }
    if (responder.is !== 'service') return this.#judgeEnds(joined, initiator, responder, timeUs);
    return this.#judgeBackends(joined, initiator, responder, timeUs);
  }

  /** Rule 14: where the backend is not known, every ready endpoint is judged; all the same gives that verdict. */
  #judgeBackends(
    joined: Joined,
    initiator: Identity & { is: 'pod' | 'address' },
    responder: Identity & { is: 'service' },
    timeUs: number,
  ): Verdict {
    const { service } = responder;
    const name = `${service.namespace}/${service.name}`;
    const verdicts: Verdict[] = [];
    for (const backend of this.#cluster.backendsOf(service, joined.protocol, joined.asked.responderPort)) {
      const identity = this.#identities.at({ ...backend, protocol: joined.protocol, podUid: '' }, timeUs);
      if (identity.is !== 'pod' && identity.is !== 'address') continue;
      const reached = { ...joined.reached, responder: backend.address, responderPort: backend.port };
      verdicts.push(this.#judgeEnds({ ...joined, reached }, initiator, identity, timeUs));
    }
    return agreed(verdicts, { reason: 'backend-not-known', service: name });
  }

  #judgeEnds(
    joined: Joined,
    initiator: Identity & { is: 'pod' | 'address' },
    responder: Identity & { is: 'pod' | 'address' },
    timeUs: number,
  ): Verdict {
    const policies = this.#cluster.policiesAt(timeUs);
    const port = hasPorts(joined.protocol) ? joined.reached.responderPort : undefined;
    const crossing = {
      initiator: initiator.party,
      responder: responder.party,
      protocol: joined.protocol,
      ...(port === undefined ? {} : { port }),
    };
    const verdict = this.#policyJudge.judge(crossing, policies);
    if (joined.asked.initiator === joined.reached.initiator) return verdict;
    return this.#judgeMasqueraded(verdict, () => {
      const { initiator: address, initiatorPort } = joined.reached;
      const seen = this.#identities.at({ address, port: initiatorPort, protocol: joined.protocol, podUid: '' }, timeUs);
      const party = seen.is === 'address' ? seen.party : { kind: 'address' as const, address };
      return this.#policyJudge.judge({ ...crossing, initiator: party }, policies);
    });
  }

  /** What a policy sees of a masqueraded initiator is open: ingress is judged by pod and by address, or not at all. */
  #judgeMasqueraded(byPod: Verdict, judgeByAddress: () => Verdict): Verdict {
    const ingress = byPod.sides.find((one) => one.side === 'ingress');
    const other = judgeByAddress().sides.find((one) => one.side === 'ingress');
    if (ingress?.verdict === other?.verdict) return byPod;
    const sides = byPod.sides.map((one) =>
      one.side === 'ingress'
        ? { side: 'ingress' as const, verdict: 'unknown' as const, why: { reason: 'source-translated' as const } }
        : one,
    );
    return { ...byPod, verdict: together(sides, this.#options.policy), sides };
  }

  #expected(responder: Identity, ends: Ends, joined: Joined): Expected {
    if (responder.is === 'pod') return { at: 'pod', podUid: responder.uid, address: ends.responder.address };
    if (responder.is !== 'service') return { at: 'outside' };
    const backends = this.#cluster.backendsOf(responder.service, joined.protocol, joined.asked.responderPort);
    return { at: 'service', addresses: backends.map((one) => one.address) };
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
      return this.#judge(joined, initiator, responder, timeUs);
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
