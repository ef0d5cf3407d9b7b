// What pods that are not in the manifests can reach, and what can reach them, by the policies that select a group. Manifests
// are often a part of the cluster. Only the group's own side is evaluated: the policies of those pods are not known.
import type { AnyPolicy, ContainerPort, Labels } from '../model/kubernetes.ts';
import type { Direction, Party } from '../model/verdict.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { compilePolicies, type Selection } from '../policy/policy-set.ts';
import { wholeSelectorText } from '../policy/selector-text.ts';
import type { DeclaredEndpoint, EndpointGroup, OtherPodsJson, PodScopeJson } from './endpoint-groups.ts';
import { rulesOf } from './match-criteria.ts';
import { NumberedPeers } from './numbered-peers.ts';
import { type OtherPods, otherPodsOf } from './other-pods.ts';
import type { PartyClass, PartyClasses } from './party-classes.ts';
import {
  everyPod,
  type KnownNamespaces,
  namespaceNamesOf,
  type PodScope,
  scopeSelects,
  scopeText,
} from './pod-scope.ts';
import { type Profile, Profiles, type SideSegment, unknownSideVerdict } from './profile.ts';

export type ExposedState = { endpoints: readonly DeclaredEndpoint[]; policies: readonly AnyPolicy[] };

/** The verdicts between two ends of the folder, in one state. */
export type ProfileOfPair = (state: number, initiator: PartyClass, responder: PartyClass) => Profile;

/** `profiles` has one item for each state; undefined if the group does not exist there. */
export type Exposed = { json: OtherPodsJson; profiles: readonly (Profile | undefined)[] };

type PodParty = Party & { kind: 'pod' };
type ClassedPod = { pod: PodParty; partyClass: PartyClass };
type StateProfile = { segments: readonly SideSegment[]; profile: Profile } | undefined;
type StateProfiles = readonly StateProfile[];

export class Exposure {
  readonly #peers = new NumberedPeers();
  readonly #evaluators: readonly Profiles[];
  /** For each state, at most two pods of each class: one is not the group's own. */
  readonly #pods: readonly (readonly ClassedPod[])[];
  readonly #profileOfPair: ProfileOfPair;
  readonly #known: KnownNamespaces;
  /** Namespaces that have a workload here. */
  readonly #ownNamespaces: ReadonlySet<string>;
  readonly #endsByClass = new Map<string, readonly OtherPods<StateProfiles>[]>();

  constructor(
    states: readonly ExposedState[],
    options: PolicyOptions,
    sharedProfiles: Map<string, Profile>,
    classes: PartyClasses,
    profileOfPair: ProfileOfPair,
  ) {
    this.#evaluators = states.map(
      ({ policies }) => new Profiles(compilePolicies(this.#peers.policiesOf(policies)), options, sharedProfiles),
    );
    const pods = states.map(({ endpoints }) => endpoints.flatMap(podsOf));
    this.#pods = pods.map((list) => someOfEachClass(list, classes));
    this.#profileOfPair = profileOfPair;
    this.#known = knownNamespaces(pods.flat());
    this.#ownNamespaces = new Set(pods.flat().map(({ namespace }) => namespace));
  }

  /** `side` is the group's own. */
  endsOf(group: EndpointGroup, side: Direction): Exposed[] {
    const key = `${side} ${group.states.map((state) => state?.partyClass.id ?? '-')}`;
    let ends = this.#endsByClass.get(key);
    if (ends === undefined) {
      ends = this.#evaluate(group, side);
      this.#endsByClass.set(key, ends);
    }
    return ends
      .filter((end) => this.#isNeeded(end, group, side))
      .map(({ scope, except, value }) => ({
        json: this.#json(scope, except),
        profiles: value.map((one) => one?.profile),
      }));
  }

  #evaluate(group: EndpointGroup, side: Direction): OtherPods<StateProfiles>[] {
    const parties = group.states.map((state) => state?.partyClass.party);
    const selections = parties.map((party, at) => party && this.#evaluators[at]!.selectionOf(party, side));
    const numbers = [...new Set(selections.flatMap((one) => (one === undefined ? [] : NumberedPeers.numbersIn(one))))];
    const numbersByPeer = new Map(numbers.map((number) => [this.#peers.scope(number), number]));
    const portNames = side === 'egress' ? portNamesIn(selections) : [];
    const valuesByPeers = new Map<string, StateProfiles>();
    const evaluate = (peers: readonly PodScope[]): StateProfiles => {
      const matched = peers.map((peer) => numbersByPeer.get(peer)!);
      const key = matched.join(' ');
      let value = valuesByPeers.get(key);
      if (value === undefined) {
        const other = NumberedPeers.partyOf(matched);
        value = parties.map((own, at) => own && stateProfile(this.#evaluators[at]!, side, own, other, portNames));
        valuesByPeers.set(key, value);
      }
      return value;
    };
    const ends = otherPodsOf<StateProfiles>({
      peers: [...numbersByPeer.keys()],
      known: this.#known,
      evaluate,
      // Rules of NetworkPolicies only add to what others allow.
      overlaps: selections.some((one) => one && one.admin.length + one.baseline.length > 0)
        ? { keeps: keepsAll, gains: gainsSome }
        : undefined,
      isSame: (one, other) => one.every((state, at) => state?.profile === other[at]?.profile),
    });
    if (ends === 'too-many')
      return [{ scope: everyPod, except: [], value: this.#unknownProfiles(evaluate([]), selections) }];
    const sortKey = ({ scope }: OtherPods<StateProfiles>) => (scope === everyPod ? '' : scopeText(scope, 'pod'));
    return ends.sort((a, b) => compare(sortKey(a), sortKey(b)));
  }

  #unknownProfiles(profiles: StateProfiles, selections: readonly (Selection | undefined)[]): StateProfiles {
    return profiles.map((one, at) => {
      const { admin = [], baseline = [] } = selections[at] ?? {};
      const policies = [...admin, ...baseline].map(({ policy }) => policy);
      const portVerdict = unknownSideVerdict({ reason: 'too-many-selectors', policies });
      const segments = one?.segments.map((segment) => ({ ...segment, portVerdict }));
      return segments && { segments, profile: this.#evaluators[at]!.shared(segments) };
    });
  }

  /** False if, in the namespaces of the folder, the line of a matching workload has the same verdicts. */
  #isNeeded({ scope, except, value }: OtherPods<StateProfiles>, group: EndpointGroup, side: Direction): boolean {
    const names = namespaceNamesOf(scope, this.#known);
    if (names?.every((name) => this.#ownNamespaces.has(name)) !== true) return true;
    return value.some((one, at) => {
      if (!one?.profile.some(({ portVerdict }) => portVerdict.verdict !== 'denied')) return false;
      const ownClass = group.states[at]!.partyClass;
      const own = group.single ? ownClass.party : undefined;
      return !this.#pods[at]!.some(({ pod, partyClass }) => {
        if (isSamePod(pod, own) || !selectsPod(scope, pod) || except.some((one) => selectsPod(one, pod))) return false;
        const [initiator, responder] = side === 'egress' ? [ownClass, partyClass] : [partyClass, ownClass];
        const { ports } = side === 'egress' ? pod : { ports: [] };
        return hasSameVerdicts(this.#profileOfPair(at, initiator, responder), one.profile, ports);
      });
    });
  }

  #json(scope: PodScope, except: readonly PodScope[]): OtherPodsJson {
    const exceptTexts = except.map((one) => scopeText(one, 'pods'));
    const json = this.#scopeJson(scope, scopeText(scope, 'any pod'));
    if (except.length === 0) return { kind: 'other-pods', ...json };
    return {
      kind: 'other-pods',
      ...json,
      text: `${json.text}, except ${exceptTexts.join(' and ')}`,
      except: except.map((one, at) => this.#scopeJson(one, exceptTexts[at]!)),
    };
  }

  #scopeJson(scope: PodScope, text: string): PodScopeJson {
    const { namespaceSelector, podSelector } = scope;
    const namespaces = namespaceNamesOf(scope, this.#known);
    return {
      text,
      ...(namespaces !== undefined && { namespaces }),
      ...(namespaceSelector.length > 0 && { namespaceSelector: wholeSelectorText(namespaceSelector) }),
      ...(podSelector.length > 0 && { podSelector: wholeSelectorText(podSelector) }),
    };
  }
}

function stateProfile(
  evaluator: Profiles,
  side: Direction,
  own: Party,
  other: PodParty,
  portNames: readonly string[],
): StateProfile {
  const segments = evaluator.sideSegments(side, own, other, portNames);
  return { segments, profile: evaluator.shared(segments) };
}

/**
 * Whether the second pods get everything that the first get, decided in the same tier. An allowance of theirs replaces
 * an unknown verdict. Pods that several peers match then keep it too: no rule that matches them comes before.
 */
function keepsAll(wider: StateProfiles, narrower: StateProfiles): boolean {
  return wider.every((one, at) =>
    (one?.segments ?? []).every(({ portVerdict: before }, index) => {
      if (before.verdict === 'denied') return true;
      const after = narrower[at]!.segments[index]!.portVerdict;
      if (before.verdict === 'unknown' && after.verdict === 'allowed') return true;
      return before.key === after.key && before.tier === after.tier;
    }),
  );
}

function gainsSome(wider: readonly StateProfiles[], narrower: StateProfiles): boolean {
  return narrower.some((one, at) =>
    (one?.segments ?? []).some(({ portVerdict: { key, verdict } }, index) => {
      if (verdict === 'denied') return false;
      return !wider.some((profiles) => profiles[at]!.segments[index]!.portVerdict.key === key);
    }),
  );
}

/**
 * Whether the line between two workloads has the verdicts of an end, without its denied connections. A workload's line may be
 * certain where the end is unknown, because the workload's address and ports are known. `ports`: of the workload.
 */
function hasSameVerdicts(pair: Profile, end: Profile, ports: readonly ContainerPort[]): boolean {
  return end.every(({ protocol, from, to, name, portVerdict: { verdict } }) => {
    if (verdict === 'denied') return true;
    const isSame = (one: Profile[number]) => one.portVerdict.verdict === verdict || verdict === 'unknown';
    const overlapping = (first: number, last: number) =>
      pair.filter((one) => one.protocol === protocol && one.from <= last && one.to >= first);
    if (name === undefined)
      return overlapping(from, to).every((one) => isSame(one) && one.portVerdict.verdict !== 'denied');
    const named = ports.filter((one) => one.name === name && one.protocol === protocol);
    return named.length > 0 && named.every(({ port }) => overlapping(port, port).every(isSame));
  });
}

function portNamesIn(selections: readonly (Selection | undefined)[]): string[] {
  const ports = selections.flatMap((one) => (one === undefined ? [] : rulesOf(one).flatMap((rule) => rule.ports)));
  return [...new Set(ports.flatMap(({ port }) => (typeof port === 'string' ? port : [])))].sort();
}

function podsOf(endpoint: DeclaredEndpoint): PodParty[] {
  if (endpoint.kind === 'node') return [];
  return endpoint.pods.flatMap(({ party }) => (party.kind === 'pod' ? party : []));
}

function someOfEachClass(pods: readonly PodParty[], classes: PartyClasses): ClassedPod[] {
  const counts = new Map<PartyClass, number>();
  return pods.flatMap((pod) => {
    const partyClass = classes.classOf(pod);
    const count = (counts.get(partyClass) ?? 0) + 1;
    counts.set(partyClass, count);
    return count > 2 ? [] : [{ pod, partyClass }];
  });
}

/** A namespace whose labels a change of the manifests changes is not known. */
function knownNamespaces(pods: readonly PodParty[]): KnownNamespaces {
  const known = new Map<string, Labels>();
  const unclear = new Set<string>();
  for (const { namespace, namespaceLabels, namespaceLabelsKnown } of pods) {
    const labels = known.get(namespace) ?? namespaceLabels;
    if (namespaceLabelsKnown === false || !isSameLabels(labels, namespaceLabels)) unclear.add(namespace);
    known.set(namespace, labels);
  }
  for (const namespace of unclear) known.delete(namespace);
  return known;
}

function isSameLabels(one: Labels, other: Labels): boolean {
  if (one === other) return true;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}

function selectsPod(scope: PodScope, { labels, namespaceLabels }: PodParty): boolean {
  return scopeSelects(scope, labels, namespaceLabels);
}

function isSamePod(pod: PodParty, own: Party | undefined): boolean {
  return own?.kind === 'pod' && pod.namespace === own.namespace && pod.name === own.name;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
