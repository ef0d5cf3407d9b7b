// What one history of policies says of a joined connection, once it is known who its ends were.
import type { Joined } from '../../model/joined.ts';
import { hasPorts } from '../../model/protocol.ts';
import type { Verdict, Way } from '../../model/verdict.ts';
import { agreed, maybeTranslated } from '../../policy/agreed.ts';
import { CachedJudge } from '../../policy/cached-judge.ts';
import type { PolicyOptions } from '../../policy/options.ts';
import type { ClusterHistory } from '../identity/cluster-history.ts';
import type { Identities, Identity } from '../identity/identity.ts';
import type { PolicyHistory } from '../identity/policy-history.ts';
import { isLocalScope } from './local-scope.ts';

/** A power of two. */
const verdictsKept = 2 ** 17;

export class EndsJudge {
  readonly #options: PolicyOptions;
  readonly #cluster: ClusterHistory;
  readonly #identities: Identities;
  readonly #policies: PolicyHistory;
  readonly #cached: CachedJudge;

  constructor(options: PolicyOptions, cluster: ClusterHistory, identities: Identities, policies: PolicyHistory) {
    this.#options = options;
    this.#cluster = cluster;
    this.#identities = identities;
    this.#policies = policies;
    this.#cached = new CachedJudge(options, verdictsKept);
  }

  /** What the policies in force at that time say of the connection between these ends. */
  judge(joined: Joined, initiator: Identity, responder: Identity, timeUs: number): Verdict {
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
    const ways: Way[] = [];
    let all = this.#cluster.backendsKnown(service);
    for (const backend of this.#cluster.backendsOf(service, joined.protocol, joined.asked.responderPort)) {
      const identity = this.#identities.at({ ...backend, protocol: joined.protocol }, timeUs);
      if (identity.is !== 'pod' && identity.is !== 'address') {
        all = false;
        continue;
      }
      const reached = { ...joined.reached, responder: backend.address, responderPort: backend.port };
      const verdict = this.#judgeEnds({ ...joined, reached }, initiator, identity, timeUs);
      ways.push({ initiator: initiator.party, responder: identity.party, verdict });
    }
    return agreed(ways, all, { reason: 'backend-not-known', service: name }, this.#options);
  }

  #judgeEnds(
    joined: Joined,
    initiator: Identity & { is: 'pod' | 'address' },
    responder: Identity & { is: 'pod' | 'address' },
    timeUs: number,
  ): Verdict {
    const policies = this.#policies.at(timeUs);
    const port = hasPorts(joined.protocol) ? joined.reached.responderPort : undefined;
    const crossing = {
      initiator: initiator.party,
      responder: responder.party,
      protocol: joined.protocol,
      ...(port === undefined ? {} : { port }),
    };
    const verdict = this.#cached.judge(crossing, policies);
    if (joined.asked.initiator === joined.reached.initiator) return verdict;
    // What a policy sees of a masqueraded initiator is open: ingress is judged by pod and by address, or not at all.
    const { initiator: address, initiatorPort } = joined.reached;
    const seen = this.#identities.at({ address, port: initiatorPort, protocol: joined.protocol, podUid: '' }, timeUs);
    const party = seen.is === 'address' ? seen.party : { kind: 'address' as const, address };
    const byAddress = this.#cached.judge({ ...crossing, initiator: party }, policies);
    const asAddress = { ...crossing, initiator: party, verdict: byAddress };
    return maybeTranslated({ ...crossing, verdict }, asAddress, this.#options);
  }
}
