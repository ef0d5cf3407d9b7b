// The verdict of one set of policies on a joined connection whose ends are known.
import type { JoinedConnection } from '../../model/joined.ts';
import { hasPorts } from '../../model/protocol.ts';
import type { Alternative, Flow, UnknownReason, Verdict } from '../../model/verdict.ts';
import { combineAlternatives, combineMaybeTranslated } from '../../policy/alternatives.ts';
import { CachedJudge } from '../../policy/cached-judge.ts';
import type { PolicyOptions } from '../../policy/options.ts';
import type { ClusterHistory } from '../identity/cluster-history.ts';
import type { Identities, Identity } from '../identity/identity.ts';
import type { PolicyHistory } from '../identity/policy-history.ts';
import { observersOf } from './connection-ends.ts';
import { isLinkProtocol, isLocalScope } from './local-scope.ts';
import { distinctKinds, withStalePolicies } from './stale-policies.ts';

/** A power of two. */
const maxCachedVerdicts = 2 ** 17;

export class PolicyEvaluator {
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
    this.#cached = new CachedJudge(options, maxCachedVerdicts);
  }

  /** The verdict of the policies in force at that time. */
  evaluate(joined: JoinedConnection, initiator: Identity, responder: Identity, timeUs: number): Verdict {
    const isOfNode = responder.kind === 'address' && responder.endpoint.node !== undefined;
    const scope = isOfNode ? 'node-local-service' : 'one-link';
    if (isLocalScope(joined, scope) || isOfOneLink(joined, initiator, responder)) {
      return { verdict: 'unknown', sides: [], why: { reason: 'local-scope', address: joined.originalTuple.responder } };
    }
    for (const end of [initiator, responder]) {
      if (end.kind === 'unknown') return { verdict: 'unknown', sides: [], why: end.why };
    }
    const stale = staleVerdict(initiator, responder);
    if (stale !== undefined) return stale;
    if (initiator.kind === 'service' || initiator.kind === 'unknown' || responder.kind === 'unknown') {
      return { verdict: 'unknown', sides: [], why: { reason: 'source-translated' } };
    }
    if (responder.kind !== 'service') return this.#evaluateEnds(joined, initiator, responder, timeUs);
    return this.#evaluateBackends(joined, initiator, responder, timeUs);
  }

  /** Rule 14: if the backend is not known, every ready endpoint is evaluated. If all agree, that is the verdict. */
  #evaluateBackends(
    joined: JoinedConnection,
    initiator: Identity & { kind: 'pod' | 'address' },
    responder: Identity & { kind: 'service' },
    timeUs: number,
  ): Verdict {
    const { service } = responder;
    const { protocol, startUs, originalTuple } = joined;
    const name = `${service.namespace}/${service.name}`;
    const alternatives: Alternative[] = [];
    let allKnown = this.#cluster.backendsKnown(service, startUs);
    for (const backend of this.#cluster.backendsOf(service, protocol, originalTuple.responderPort, startUs)) {
      const identity = this.#identities.at({ ...backend, protocol }, timeUs);
      if (identity.kind !== 'pod' && identity.kind !== 'address') {
        allKnown = false;
        continue;
      }
      const translatedTuple = { ...joined.translatedTuple, responder: backend.address, responderPort: backend.port };
      const stale = staleVerdict(identity);
      if (stale !== undefined) return stale;
      const verdict = this.#evaluateEnds({ ...joined, translatedTuple }, initiator, identity, timeUs);
      alternatives.push({ initiator: initiator.party, responder: identity.party, verdict });
    }
    const why: UnknownReason =
      allKnown && alternatives.length === 0
        ? { reason: 'no-endpoints', service: name, none: { why: service.selector ? 'none-ready' : 'no-selector' } }
        : { reason: 'backend-not-known', service: name };
    return combineAlternatives(alternatives, allKnown, why, this.#options);
  }

  #evaluateEnds(
    joined: JoinedConnection,
    initiator: Identity & { kind: 'pod' | 'address' },
    responder: Identity & { kind: 'pod' | 'address' },
    timeUs: number,
  ): Verdict {
    const port = hasPorts(joined.protocol) ? joined.translatedTuple.responderPort : undefined;
    const flow = {
      initiator: initiator.party,
      responder: responder.party,
      protocol: joined.protocol,
      ...(port === undefined ? {} : { port }),
    };
    const verdict = this.#judge(flow, timeUs);
    if (joined.originalTuple.initiator === joined.translatedTuple.initiator) return verdict;
    // A policy may see a masqueraded initiator as the pod or as the address: ingress is known only if both agree.
    const { initiator: address, initiatorPort } = joined.translatedTuple;
    const translatedInitiator = this.#identities.at(
      { address, port: initiatorPort, protocol: joined.protocol, podUid: '', observers: observersOf(joined) },
      timeUs,
    );
    const stale = staleVerdict(translatedInitiator);
    if (stale !== undefined) return stale;
    const party =
      translatedInitiator.kind === 'address' ? translatedInitiator.party : { kind: 'address' as const, address };
    const verdictByAddress = this.#judge({ ...flow, initiator: party }, timeUs);
    const flowByAddress = { ...flow, initiator: party, verdict: verdictByAddress };
    return combineMaybeTranslated({ ...flow, verdict }, flowByAddress, this.#options);
  }
  #judge(flow: Flow, timeUs: number): Verdict {
    const verdict = this.#cached.judge(flow, this.#policies.at(timeUs));
    return withStalePolicies(verdict, flow, this.#policies, timeUs, this.#options);
  }
}

/** Unknown if the view of the cluster was incomplete for an end; else undefined. */
function staleVerdict(...ends: Identity[]): Verdict | undefined {
  const kinds = ends.flatMap(({ stale = [] }) => stale);
  if (kinds.length === 0) return undefined;
  return { verdict: 'unknown', sides: [], why: { reason: 'cluster-stale', kinds: distinctKinds(kinds) } };
}

/** Both ends are on one node, so they may be on one link. */
function isOfOneLink({ protocol, originalTuple }: JoinedConnection, initiator: Identity, responder: Identity): boolean {
  if (!isLinkProtocol(protocol, originalTuple)) return false;
  return initiator.endpoint.node !== undefined && initiator.endpoint.node === responder.endpoint.node;
}
