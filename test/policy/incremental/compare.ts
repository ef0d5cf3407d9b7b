// Asks an incremental engine and one that is rebuilt after each change the same questions, until they differ.
import { inspect, isDeepStrictEqual } from 'node:util';
import { ClusterHistory } from '../../../collector/identity/cluster-history.ts';
import { PartyCache } from '../../../collector/identity/party-cache.ts';
import type { Address } from '../../../model/address.ts';
import type { ClusterEvent, Labels, Pod } from '../../../model/kubernetes.ts';
import type { Flow, Party, Verdict } from '../../../model/verdict.ts';
import { CachedJudge } from '../../../policy/cached-judge.ts';
import { judge } from '../../../policy/judge.ts';
import type { PolicyOptions } from '../../../policy/options.ts';
import { compilePolicies, type PolicySet } from '../../../policy/policy-set.ts';
import { Chance } from '../oracle/chance.ts';
import { caseText } from '../oracle/difference.ts';
import { type Change, type Cluster, changed, emptyCluster, initialNamespaces, randomChange } from './random-changes.ts';
import { Asking, type End, everyOptions, podParty, type Question } from './random-questions.ts';

/** So few that cached verdicts are often replaced. */
const cacheSlots = 256;
const changesBeforeSynced = 40;

/** Works like the collector: histories, reused parties, and a cache for each set of options. */
export class Incremental {
  readonly #history = new ClusterHistory();
  readonly #parties = new PartyCache();
  readonly #judges = new Map(everyOptions.map((options) => [options, new CachedJudge(options, cacheSlots)]));

  receive(event: ClusterEvent): void {
    this.#history.receive(event);
  }

  ask({ initiator, responder, protocol, port, options, partiesAt, policiesAt }: Question): Verdict {
    const ends = { initiator: this.#partyOf(initiator, partiesAt), responder: this.#partyOf(responder, partiesAt) };
    const flow = { ...ends, protocol, ...(port !== undefined && { port }) };
    return this.judge(flow, this.setAt(policiesAt), options);
  }

  #partyOf(end: End, timeUs: number): Party {
    if (!('uid' in end)) return end;
    const pod = this.#history.pod(end.uid, timeUs)!;
    const isKnown = this.#history.namespace(pod.namespace, timeUs) !== undefined;
    return this.party(pod, end.address, this.#history.namespaceLabels(pod.namespace, timeUs), isKnown);
  }

  party(pod: Pod, address: Address, namespaceLabels: Labels, labelsKnown: boolean): Party {
    return this.#parties.pod(pod, address, namespaceLabels, labelsKnown);
  }

  setAt(timeUs: number): PolicySet {
    return this.#history.policies.at(timeUs);
  }

  judge(flow: Flow, set: PolicySet, options: PolicyOptions): Verdict {
    return this.#judges.get(options)!.judge(flow, set);
  }
}

export type Difference = {
  position: number;
  change: Change;
  question: Question;
  /** The case as text, in the form of the oracle. */
  caseText: string;
  actual: object;
  expected: object;
};

export type Seen = { change(change: Change): void; verdict(verdict: Verdict): void };

/** The time is the number of changes. Calls `see` with each change, and with each verdict on which both engines agree. */
export function firstDifference(
  tested: Incremental,
  { seed, changes }: { seed: number; changes: number },
  see: Seen = { change: () => {}, verdict: () => {} },
): Difference | undefined {
  const chance = new Chance(seed);
  const asking = new Asking(chance);
  let cluster = emptyCluster;
  const next = (position: number, change = randomChange(chance, cluster, position)): Change => {
    tested.receive({ type: change.type, object: change.object, atUs: position });
    cluster = changed(cluster, change);
    return change;
  };
  for (const namespaceChange of initialNamespaces()) next(0, namespaceChange);
  for (let i = 0; i < changesBeforeSynced; i++) next(i - changesBeforeSynced);
  tested.receive({ type: 'synced', atUs: 0 });
  const clusters = [cluster];
  for (let position = 1; position <= changes; position++) {
    const change = next(position);
    clusters.push(cluster);
    see.change(change);
    const sets = new Map<number, PolicySet>();
    for (const question of asking.questions(clusters, change)) {
      const actual = tested.ask(question);
      const { policiesAt, options } = question;
      const set = sets.get(policiesAt) ?? rebuilt(clusters[policiesAt]!, chance);
      sets.set(policiesAt, set);
      const expected = plain(judge(copied(flowOf(question, clusters)), set, options));
      const plainActual = plain(actual);
      if (!isDeepStrictEqual(plainActual, expected)) {
        return {
          position,
          change,
          question,
          caseText: questionText(question, clusters),
          actual: plainActual,
          expected,
        };
      }
      see.verdict(actual);
    }
  }
  return undefined;
}

/** Copies all policies, so no cached result is found, and shuffles them. */
function rebuilt(cluster: Cluster, chance: Chance): PolicySet {
  const policies = [...cluster.policies.values()].map(({ policy }) => policy);
  for (let i = policies.length - 1; i > 0; i--) {
    const j = chance.number(i + 1);
    [policies[i], policies[j]] = [policies[j]!, policies[i]!];
  }
  return compilePolicies(copied(policies));
}

/** Same as structuredClone, which takes ten times as long for plain data. */
function copied<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return value.slice() as Value;
  if (Array.isArray(value)) return value.map(copied) as Value;
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) copy[key] = copied(value[key as keyof Value]);
  return copy as Value;
}

function flowOf({ initiator, responder, protocol, port, partiesAt }: Question, clusters: readonly Cluster[]) {
  const party = (end: End) => ('uid' in end ? podParty(clusters[partiesAt]!, end.uid, end.address) : end);
  const ends = { initiator: party(initiator), responder: party(responder) };
  return { ...ends, protocol, ...(port !== undefined && { port }) };
}

/** A plain copy, with the near misses that a denial computes on first use. */
function plain({ sides, ...rest }: Verdict): object {
  return {
    ...rest,
    sides: sides.map((side) => ('isolatedBy' in side ? { ...side, nearest: side.nearest } : { ...side })),
  };
}

function questionText(question: Question, clusters: readonly Cluster[]): string {
  const policies = [...clusters[question.policiesAt]!.policies.values()].map(({ raw }) => raw);
  return caseText({ ...flowOf(question, clusters), policies, options: question.options });
}

export function differenceText({ position, change, question, caseText, actual, expected }: Difference): string {
  const shown = (value: unknown) => inspect(value, { depth: null, breakLength: 110, compact: 8 });
  const { what, type, object, raw } = change;
  const { partiesAt, policiesAt } = question;
  return [
    `change ${position}: ${what}: ${type} ${shown(raw ?? object)}`,
    `question about parties after change ${partiesAt} and policies after change ${policiesAt}: ${caseText}`,
    `incremental: ${shown(actual)}`,
    `rebuilt: ${shown(expected)}`,
  ].join('\n');
}
