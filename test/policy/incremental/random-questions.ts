// Random questions about a changing cluster: new and repeated ones, about the present and the past.
import type { Address } from '../../../model/address.ts';
import type { Party } from '../../../model/verdict.ts';
import type { PolicyOptions } from '../../../policy/options.ts';
import { ip } from '../../scene/records.ts';
import type { Question as OracleQuestion } from '../oracle/case.ts';
import type { Chance } from '../oracle/chance.ts';
import type { PodParty } from '../oracle/matches.ts';
import { type RandomCluster, randomCluster, randomQuestion } from '../oracle/random-cluster.ts';
import { type Change, type Cluster, touchedBy } from './random-changes.ts';

/** A pod by its uid and observed address, or an end that never changes. */
export type End = { uid: string; address: Address } | Party;

export type Asked = Pick<OracleQuestion, 'protocol' | 'port'> & {
  initiator: End;
  responder: End;
  options: PolicyOptions;
};

/** `partiesAt`, `policiesAt`: the number of changes before the parties and policies of the question. */
export type Question = Asked & { partiesAt: number; policiesAt: number };

export const everyOptions: readonly PolicyOptions[] = [true, false].flatMap((ipBlockMatchesPods) => [
  { ipBlockMatchesPods, declaredBy: 'any' as const },
  { ipBlockMatchesPods, declaredBy: 'every' as const },
]);

/** The history keeps a few versions of pods and namespaces, and many of policies (cluster-history.ts). */
const maxPartiesAgo = 7;
const maxPoliciesAgo = 200;
const maxRemembered = 48;
const questionsOfAChange = 8;

export class Asking {
  readonly #chance: Chance;
  /** Nodes, external addresses, templates and pods without a node: they never change. */
  readonly #fixedParties: readonly Party[];
  readonly #remembered: Asked[] = [];

  constructor(chance: Chance) {
    this.#chance = chance;
    this.#fixedParties = randomCluster(chance).parties.filter((one) => one.kind !== 'pod' || one.representsWorkload);
  }

  /** `clusters` has the cluster after each change. The last one is the result of `change`. */
  questions(clusters: readonly Cluster[], change: Change): Question[] {
    const now = { partiesAt: clusters.length - 1, policiesAt: clusters.length - 1 };
    const before = this.#chance.once(2) ? this.#before(now.partiesAt) : now;
    return Array.from({ length: questionsOfAChange }, () => {
      const when = this.#chance.once(3) ? before : now;
      return { ...this.#asked(clusters[when.partiesAt]!, change), ...when };
    });
  }

  /** Everything in the past, like a connection that is evaluated after its end; or old policies with present parties. */
  #before(now: number): Pick<Question, 'partiesAt' | 'policiesAt'> {
    const ago = (max: number) => now - this.#chance.number(Math.min(max, now) + 1);
    const partiesAt = this.#chance.once(2) ? ago(maxPartiesAgo) : now;
    return { partiesAt, policiesAt: partiesAt < now ? partiesAt : ago(maxPoliciesAgo) };
  }

  #asked(cluster: Cluster, change: Change): Asked {
    const isThere = (end: End) => !('uid' in end) || cluster.pods.has(end.uid);
    const before = this.#remembered.filter(({ initiator, responder }) => isThere(initiator) && isThere(responder));
    if (before.length > 0 && this.#chance.once(2)) return this.#chance.one(before);
    const asked = this.#fresh(cluster, change);
    this.#remembered.push(asked);
    if (this.#remembered.length > maxRemembered) this.#remembered.shift();
    return asked;
  }

  #fresh(cluster: Cluster, change: Change): Asked {
    const uids = new Map<Party, string>();
    const seen = [...cluster.pods].map(([uid, { addresses }]) => {
      // Traffic may come before the API server reports the address.
      const party = podParty(cluster, uid, addresses.length === 0 ? ip('10.0.0.1') : this.#chance.one(addresses));
      uids.set(party, uid);
      return party;
    });
    const touched = new Set(touchedBy(change, cluster).map(({ uid }) => uid));
    const often = seen.filter((party) => touched.has(uids.get(party)!));
    const parties: RandomCluster['parties'] = [...this.#fixedParties, ...seen, ...often, ...often];
    const options = this.#chance.one(everyOptions);
    const { initiator, responder, protocol, port } = randomQuestion(this.#chance, { parties, policies: [], options });
    const end = (party: Party): End => {
      const own = seen.find((one) => isSame(one, party));
      return own === undefined ? party : { uid: uids.get(own)!, address: own.addresses[0]! };
    };
    const ends = { initiator: end(initiator), responder: end(responder) };
    return { ...ends, protocol, ...(port !== undefined && { port }), options };
  }
}

/** Compares names, because a question may contain a copy of the party. */
function isSame(one: PodParty, other: Party): boolean {
  return (
    other.kind === 'pod' && !other.representsWorkload && one.namespace === other.namespace && one.name === other.name
  );
}

export function podParty(cluster: Cluster, uid: string, address: Address): PodParty {
  const { namespace, name, labels, node, ports } = cluster.pods.get(uid)!;
  const namespaceLabels = cluster.namespaces.get(namespace);
  const party = { kind: 'pod' as const, namespace, name, labels, addresses: [address], node, ports };
  if (namespaceLabels !== undefined) return { ...party, namespaceLabels };
  const nameAlone = { 'kubernetes.io/metadata.name': namespace };
  return { ...party, namespaceLabels: nameAlone, namespaceLabelsKnown: false };
}
