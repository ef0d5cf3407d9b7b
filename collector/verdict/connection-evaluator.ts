// Evaluates each joined connection: its ends, the verdict of the policies in force when it began, and whether a change
// before or after gives another verdict.

import type { Address } from '../../model/address.ts';
import type { Connection, Delivered, ForeignSource } from '../../model/connection.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import type { EvaluatedConnection, VerdictTiming } from '../../model/evaluated.ts';
import type { JoinedConnection } from '../../model/joined.ts';
import type { Tuple } from '../../model/record.ts';
import type { Verdict } from '../../model/verdict.ts';
import { reasonText } from '../../policy/explain.ts';
import type { PolicyOptions } from '../../policy/options.ts';
import { reasonKey } from '../../policy/reason-key.ts';
import type { Backend, ClusterHistory } from '../identity/cluster-history.ts';
import type { ConnectionEnd, Identities, Identity } from '../identity/identity.ts';
import { localZoneOf } from '../identity/local-addresses.ts';
import { addressesSettledUs, type NearAddresses } from '../identity/near-address.ts';
import type { PolicyHistory } from '../identity/policy-history.ts';
import { type Coverage, deliveredOf, type ExpectedDelivery } from '../join/delivered.ts';
import { observationsOf, outcomeOf, withUnseenAnswer } from '../join/outcome.ts';
import { type ConnectionEnds, endsOf, type InterfaceLookup } from './connection-ends.ts';
import { isLocalScope } from './local-scope.ts';
import { placementOf } from './placement.ts';
import { type NameLookup, namesGivenTo } from './pod-names.ts';
import { PolicyEvaluator } from './policy-evaluator.ts';
import { type Sender, senderOf } from './sender.ts';
import { namesSettleUs } from './unsettled-names.ts';

/** How long an owner (`maxLagUs`) and a record of the other side (`maxWaitUs`) may be late. */
export type VerdictOptions = { policy: PolicyOptions; graceUs: number; maxLagUs: number; maxWaitUs: number };

/**
 * The owner of an end, or an answer, may become known until `retryUntilUs`: until then the connection is re-evaluated. 0: no.
 * `doubtful`: the view of the cluster is incomplete now, and the result depends on it. A DNS name that may allow it can be
 * withdrawn until `unsettledUntilUs`. 0: no name.
 */
export type Evaluation = {
  evaluated: EvaluatedConnection;
  doubtful: boolean;
  retryUntilUs: number;
  unsettledUntilUs: number;
};

export class ConnectionEvaluator {
  readonly #options: VerdictOptions;
  readonly #cluster: ClusterHistory;
  readonly #identities: Identities;
  readonly #coverage: Coverage & InterfaceLookup;
  readonly #nearAddresses: NearAddresses;
  readonly #names: NameLookup;
  readonly #clusterPolicies: PolicyEvaluator;
  readonly #declaredPolicies: PolicyEvaluator | undefined;

  /** `declaredPolicies`: with `policy.judgeBy: both`, to compare with the cluster's policies. */
  constructor(
    options: VerdictOptions,
    cluster: ClusterHistory,
    identities: Identities,
    coverage: Coverage & InterfaceLookup,
    nearAddresses: NearAddresses,
    names: NameLookup,
    declaredPolicies: PolicyHistory | undefined,
  ) {
    this.#options = options;
    this.#cluster = cluster;
    this.#identities = identities;
    this.#coverage = coverage;
    this.#nearAddresses = nearAddresses;
    this.#names = names;
    this.#clusterPolicies = new PolicyEvaluator(options.policy, cluster, identities, cluster.policies);
    this.#declaredPolicies =
      declaredPolicies && new PolicyEvaluator(options.policy, cluster, identities, declaredPolicies);
  }

  evaluate(received: JoinedConnection, nowUs: number): Evaluation {
    const onlyBackend = this.#onlyBackend(received);
    const placed = onlyBackend === undefined ? received : withBackend(received, onlyBackend);
    const ends = endsOf(placed, this.#coverage);
    const joined = this.#hidesAnswers(ends.initiator) ? withUnseenAnswer(placed) : placed;
    ends.responder.podUid ||= onlyBackend?.podUid ?? '';
    const senderUid = this.#senderUid(joined, ends);
    const serviceOfNode = this.#nodeOfLocalService(joined, senderUid);
    if (serviceOfNode !== undefined) ends.responder.serviceOfNode = serviceOfNode;
    const scope = serviceOfNode === undefined ? 'one-link' : 'node-local-service';
    // Addresses of one link, DHCP and neighbour discovery, which every interface of the link may show.
    const sender: Sender = isLocalScope(joined, scope)
      ? { sender: 'owner' }
      : senderOf(joined, senderUid, this.#nearAddresses, this.#coverage, nowUs, this.#options.maxWaitUs);
    // An address may belong to a pod or Service that is not known yet.
    const senderDoubtful = sender.sender === 'foreign' && this.#cluster.gaps.isStaleAt(joined.startUs);
    const initiator = this.#initiatorOf(joined, ends, sender);
    const responder = this.#responderAt(joined, ends.responder, uidOf(initiator), joined.startUs);
    const verdictOf = (policies: PolicyEvaluator) =>
      sender.sender === 'not-seen'
        ? senderNotSeen(ends.initiator.address)
        : policies.evaluate(asSentBy(initiator, joined, sender), initiator, responder, joined.startUs);
    const verdict = verdictOf(this.#clusterPolicies);
    const declaredVerdict = this.#declaredPolicies && verdictOf(this.#declaredPolicies);
    const expected = this.#expectedDelivery(received, responder, ends);
    const delivered = deliveredOf(joined, expected, this.#coverage, nowUs, this.#options.maxWaitUs);
    const connection = {
      ...connectionOf(joined, initiator.endpoint, responder.endpoint, delivered, verdict, declaredVerdict),
      placement: placementOf(initiator.endpoint, responder.endpoint, this.#nodeOf(joined, responder)),
      ...(sender.sender === 'foreign' &&
        !senderDoubtful && { foreignSource: this.#foreignSource(sender, joined.startUs) }),
    };
    const timing = this.#timing(joined, { initiator, responder }, ends, sender, verdict, connection);
    const evaluated: EvaluatedConnection = {
      connection,
      verdict,
      ...(declaredVerdict !== undefined && { declaredVerdict }),
      timing,
      observations: observationsOf(joined),
      masqueradeAddress: masqueradeAddressOf(joined),
    };
    const isPending =
      !ends.podsKnown || initiator.kind === 'unknown' || responder.kind === 'unknown' || sender.sender === 'unknown';
    const unknown = verdict.verdict === 'unknown' && verdict.why?.reason !== 'local-scope';
    const doubtful = senderDoubtful || (unknown && this.#cluster.isStaleAt(joined.startUs));
    return {
      evaluated,
      doubtful,
      retryUntilUs: Math.max(
        isPending ? joined.startUs + this.#retryForUs(sender) : 0,
        this.#reportedUntilUs(joined, delivered),
      ),
      unsettledUntilUs: verdict.verdict === 'allowed' ? unsettledUntilUs(responder) : 0,
    };
  }

  /** With the DNS names that the pod with that uid was given. */
  #responderAt(joined: JoinedConnection, responder: ConnectionEnd, initiatorUid: string, timeUs: number): Identity {
    const { source, host, originalTuple, startUs } = joined;
    const asking = { observation: source ?? host, address: originalTuple.initiator, podUid: initiatorUid };
    return this.#identities.at(responder, timeUs, namesGivenTo(asking, this.#names, startUs));
  }

  #hidesAnswers({ podUid, address }: ConnectionEnd): boolean {
    const link = podUid === '' ? undefined : this.#coverage.interfaceOf(podUid, address);
    return link?.seesFromPod === true && !link.seesToPod;
  }

  /** The node-local DNS cache that the pod uses is on the pod's own node. */
  #nodeOfLocalService({ originalTuple, startUs }: JoinedConnection, initiatorUid: string): string | undefined {
    const { responder } = originalTuple;
    if (localZoneOf(responder) !== 'link-local' || !this.#cluster.dnsServers.isNamed(responder)) return undefined;
    const node = this.#cluster.pod(initiatorUid, startUs)?.node ?? '';
    return this.#cluster.node(node) === undefined ? undefined : node;
  }

  /** Until when the responder's agent may still report an answer. Of a missing side, the join waits for the agent. */
  #reportedUntilUs({ destination, lastUs }: JoinedConnection, delivered: Delivered): number {
    const isBehind = delivered.delivered === 'unknown' && delivered.why === 'not-reported';
    return isBehind && destination !== undefined ? lastUs + this.#options.maxWaitUs : 0;
  }

  #retryForUs({ sender }: Sender): number {
    const { maxLagUs } = this.#options;
    return sender === 'unknown' ? maxLagUs + addressesSettledUs : maxLagUs;
  }

  /**
   * A Service port with exactly one ready endpoint has that backend, also if conntrack did not name it. So has a port of a
   * node that is the `hostPort` of a pod.
   */
  #onlyBackend({ originalTuple, translatedTuple, protocol, startUs }: JoinedConnection): Backend | undefined {
    if (originalTuple !== translatedTuple) return undefined;
    const { responder: address, responderPort: port } = originalTuple;
    if (this.#identities.at({ address, port, protocol, podUid: '' }, startUs).stale !== undefined) return undefined;
    const service = this.#cluster.serviceOf(address, protocol, port, startUs);
    if (service === undefined) return this.#cluster.hostPortBackend(address, protocol, port, startUs);
    if (!this.#cluster.backendsKnown(service, startUs)) return undefined;
    const [backend, ...others] = this.#cluster.backendsOf(service, protocol, port, startUs);
    return others.length === 0 ? backend : undefined;
  }

  /** The pod behind the interface of the initiator; without such an observation, the pod that has the address. */
  #senderUid({ source, startUs }: JoinedConnection, { initiator }: ConnectionEnds): string {
    if (source !== undefined || initiator.podUid !== '') return initiator.podUid;
    return this.#identities.podUidOf(initiator.address, startUs);
  }

  /** The pod that sent the packets is judged, with its own address; a gateway's packets are judged by their address. */
  #initiatorOf(joined: JoinedConnection, ends: ConnectionEnds, sender: Sender, timeUs = joined.startUs): Identity {
    const { destination, host, startUs, translatedTuple } = joined;
    if (sender.sender === 'forwarded') {
      const { behindNode: _, ...end } = ends.initiator;
      return this.#identities.at({ ...end, podUid: '' }, timeUs);
    }
    const asking = {
      observation: destination ?? host,
      address: translatedTuple.responder,
      podUid: ends.responder.podUid,
    };
    const namesOf = namesGivenTo(asking, this.#names, startUs);
    if (sender.sender !== 'foreign') return this.#identities.at(ends.initiator, timeUs, namesOf);
    const pod = this.#cluster.pod(ends.initiator.podUid, timeUs);
    const isIpv6 = sender.address.includes(':');
    const own = [...this.#cluster.addressesOfPod(ends.initiator.podUid).addresses];
    const address = own.findLast((one) => one.includes(':') === isIpv6) ?? own.at(-1) ?? pod?.addresses[0];
    return this.#identities.at({ ...ends.initiator, address: address ?? sender.address }, timeUs);
  }

  #foreignSource(sender: Sender & { sender: 'foreign' }, timeUs: number): ForeignSource {
    const { address, of } = sender;
    const { endpoint } = this.#identities.at({ address, port: 0, protocol: 0, podUid: '' }, timeUs);
    return { address, of, owner: endpoint };
  }

  /** The node of the responder; for a Service, that of all its endpoints if they share one. */
  #nodeOf(joined: JoinedConnection, responder: Identity): string | undefined {
    if (responder.kind !== 'service') return responder.endpoint.node;
    const { responderPort } = joined.originalTuple;
    const nodes = this.#cluster
      .backendsOf(responder.service, joined.protocol, responderPort, joined.startUs)
      .map(
        ({ address }) =>
          this.#identities.at({ address, port: 0, protocol: 0, podUid: '' }, joined.startUs).endpoint.node,
      );
    return this.#cluster.backendsKnown(responder.service, joined.startUs) && new Set(nodes).size === 1
      ? nodes[0]
      : undefined;
  }

  /** At a Service without conntrack, the backend may have seen a masqueraded address: then it is another connection. */
  #expectedDelivery(received: JoinedConnection, responder: Identity, ends: ConnectionEnds): ExpectedDelivery {
    const { originalTuple, translatedTuple, destination, protocol, startUs } = received;
    const isGuess = originalTuple === translatedTuple && destination === undefined;
    const { responder: address, responderPort: port } = originalTuple;
    if (isGuess && this.#isTranslated(address, protocol, port, startUs)) return { at: 'service' };
    if (responder.kind === 'pod') return { at: 'pod', podUid: responder.uid, address: ends.responder.address };
    return responder.kind === 'service' ? { at: 'service' } : { at: 'outside' };
  }

  #isTranslated(address: Address, protocol: number, port: number, timeUs: number): boolean {
    if (this.#cluster.serviceOf(address, protocol, port, timeUs) !== undefined) return true;
    return this.#cluster.hostPortBackend(address, protocol, port, timeUs) !== undefined;
  }

  /** Evaluates again with the state before and after, if something changed near the connection. */
  #timing(
    joined: JoinedConnection,
    identities: { initiator: Identity; responder: Identity },
    ends: ConnectionEnds,
    sender: Sender,
    verdict: Verdict,
    connection: Connection,
  ): VerdictTiming {
    const { graceUs } = this.#options;
    const settledUs = joined.lastUs - graceUs;
    // What is not known now says nothing about before and after.
    if (verdict.verdict === 'unknown') return { timing: 'in-force' };
    if (this.#cluster.changedAtUs < joined.startUs - graceUs) return { timing: 'in-force' };
    const samePods: ConnectionEnds = {
      ...ends,
      initiator: { ...ends.initiator, podUid: uidOf(identities.initiator) },
      responder: { ...ends.responder, podUid: uidOf(identities.responder) },
    };
    const evaluateAt = (timeUs: number): Verdict => {
      const initiator = this.#initiatorOf(joined, samePods, sender, timeUs);
      const responder = this.#responderAt(joined, samePods.responder, samePods.initiator.podUid, timeUs);
      return this.#clusterPolicies.evaluate(asSentBy(initiator, joined, sender), initiator, responder, timeUs);
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

function withBackend(joined: JoinedConnection, { address, port }: Backend): JoinedConnection {
  return { ...joined, translatedTuple: { ...joined.translatedTuple, responder: address, responderPort: port } };
}

function senderNotSeen(address: Address): Verdict {
  return { verdict: 'unknown', sides: [], why: { reason: 'sender-not-seen', address } };
}

/** A pod that sent a foreign address did not get it by masquerade. */
function asSentBy(initiator: Identity, joined: JoinedConnection, { sender }: Sender): JoinedConnection {
  const ip = initiator.endpoint.ip;
  if (sender !== 'foreign' || ip === undefined) return joined;
  return {
    ...joined,
    originalTuple: { ...joined.originalTuple, initiator: ip },
    translatedTuple: { ...joined.translatedTuple, initiator: ip },
  };
}

function unsettledUntilUs(responder: Identity): number {
  return responder.kind === 'address' && responder.namedUs !== undefined ? responder.namedUs + namesSettleUs : 0;
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
): Omit<Connection, 'placement'> {
  const observations = observationsOf(joined);
  const primary = observations[0]!;
  const reason =
    verdict.verdict === 'unknown'
      ? (verdict.why ?? verdict.sides.flatMap((side) => (side.verdict === 'unknown' ? [side.why] : []))[0])
      : undefined;
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
    initiatorInferred: joined.initiatorBy === 'inferred',
    ...(joined.sequenceRewritten && { sequenceRewritten: true as const }),
    midStream: observations.every((observation) => observation.midStream),
    outcome: outcomeOf(joined),
    delivered,
    packets: { ...primary.packets },
    bytes: { ...primary.bytes },
    rttUs: observations.find((observation) => observation.rttUs > 0)?.rttUs ?? 0,
    synRetries: Math.max(...observations.map((observation) => observation.synRetries)),
    observed: observations.map((observation) => observation.point),
    verdict: verdict.verdict,
    ...(declaredVerdict !== undefined && { declaredVerdict: declaredVerdict.verdict }),
    unknownReason: reason === undefined ? '' : reasonText(reason),
    ...(reason !== undefined && { unknownReasonKey: reasonKey(reason) }),
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
