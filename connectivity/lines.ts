// Evaluates each pair of groups, and each group with external addresses, for one set of manifests or two to compare. The
// callback `entriesOf` decides what to list for a pair: an empty list gives no line.
import type { AnyPolicy } from '../model/kubernetes.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { compilePolicies } from '../policy/policy-set.ts';
import type { AddressFamily, AddressRange } from './address-ranges.ts';
import {
  type DeclaredEndpoint,
  type EndpointGroup,
  type EndpointGroupJson,
  endpointGroupsOf,
  type GroupState,
} from './endpoint-groups.ts';
import { Exposure } from './exposure.ts';
import { ExternalAddresses, externalJson, externalParty } from './external-addresses.ts';
import { rulesOf } from './match-criteria.ts';
import { type PairPlacement, pairPlacements, placementsOf, withPlacement } from './pair-placement.ts';
import { type PartyClass, PartyClasses } from './party-classes.ts';
import { type Profile, Profiles } from './profile.ts';

/** One set of manifests. */
export type ClusterState = { endpoints: readonly DeclaredEndpoint[]; policies: readonly AnyPolicy[] };

/** `placement` is set if the result depends on it, or if only the same node is possible. */
export type Line<Entry> = {
  initiator: EndpointGroupJson;
  responder: EndpointGroupJson;
  placement?: PairPlacement;
  entry: Entry;
};

/** A profile is undefined if one of the ends does not exist. Must return the same list object for the same profiles. */
export type EntriesOf<Entry> = (profiles: readonly (Profile | undefined)[]) => readonly Entry[];

export type LineRequest<Entry> = {
  entriesOf: EntriesOf<Entry>;
  /** Whether to list this pair. */
  includesPair(initiator: EndpointGroupJson, responder: EndpointGroupJson): boolean;
  /** The manifests have all pods of the cluster, so there are no other pods. */
  wholeCluster?: boolean;
  onProgress?(done: number, total: number): void;
};

const externalPlaceholder: EndpointGroupJson = { kind: 'external', addresses: [] };
const bothFamilies: readonly AddressFamily[] = ['IPv4', 'IPv6'];

export function* linesOf<Entry extends { key: string }>(
  states: readonly ClusterState[],
  options: PolicyOptions,
  request: LineRequest<Entry>,
): Generator<Line<Entry>> {
  const classes = new PartyClasses(states.flatMap(({ policies }) => policies));
  const groups = endpointGroupsOf(
    states.map(({ endpoints }) => endpoints),
    classes,
  );
  const sharedProfiles = new Map<string, Profile>();
  const evaluators = states.map(
    ({ policies }) => new StateEvaluator(new Profiles(compilePolicies(policies), options, sharedProfiles)),
  );
  const exposure = request.wholeCluster
    ? undefined
    : new Exposure(states, options, sharedProfiles, classes, (state, initiator, responder) =>
        evaluators[state]!.profileOf(initiator, responder, 'any'),
      );
  for (const [done, initiator] of groups.entries()) {
    request.onProgress?.(done, groups.length);
    for (const responder of groups) yield* linesBetween(initiator, responder, evaluators, request);
    yield* linesWithExternal(initiator, 'egress', evaluators, request);
    yield* linesWithExternal(initiator, 'ingress', evaluators, request);
    if (exposure !== undefined && initiator.json.kind !== 'node') {
      yield* linesWithOtherPods(initiator, 'egress', exposure, request);
      yield* linesWithOtherPods(initiator, 'ingress', exposure, request);
    }
  }
}

class StateEvaluator {
  readonly profiles: Profiles;
  readonly #profilesByPair = new Map<number, Profile>();

  constructor(profiles: Profiles) {
    this.profiles = profiles;
  }

  profileOf(initiator: PartyClass, responder: PartyClass, placement: PairPlacement): Profile {
    const key = (initiator.id * 1_000_000 + responder.id) * pairPlacements.length + pairPlacements.indexOf(placement);
    const existing = this.#profilesByPair.get(key);
    if (existing !== undefined) return existing;
    const profile = this.profiles.profileOf(...withPlacement(initiator.party, responder.party, placement));
    this.#profilesByPair.set(key, profile);
    return profile;
  }
}

function* linesBetween<Entry extends { key: string }>(
  initiator: EndpointGroup,
  responder: EndpointGroup,
  evaluators: readonly StateEvaluator[],
  { entriesOf, includesPair }: LineRequest<Entry>,
): Generator<Line<Entry>> {
  if (initiator === responder && initiator.single) return;
  if (isBeyondPolicies(initiator, responder) || !includesPair(initiator.json, responder.json)) return;
  const pairs = evaluators.map((one, stateIndex) => {
    const [from, to] = [initiator.states[stateIndex], responder.states[stateIndex]];
    return from && to && haveCommonFamily(from, to)
      ? ([one, from, to] as const)
      : ([one, undefined, undefined] as const);
  });
  const occurring = new Set(pairs.flatMap(([, from, to]) => (from && to ? placementsOf(from, to) : [])));
  const entriesByPlacement = pairPlacements
    .filter((placement) => occurring.has(placement))
    .map((placement) => ({
      placement,
      list: entriesOf(
        pairs.map(([one, from, to]) => from && to && one.profileOf(from.partyClass, to.partyClass, placement)),
      ),
    }));
  const isSameEverywhere = entriesByPlacement.every(
    ({ list, placement }) =>
      list === entriesByPlacement[0]!.list && (entriesByPlacement.length > 1 || placement !== 'same-node'),
  );
  for (const { placement, list } of isSameEverywhere ? entriesByPlacement.slice(0, 1) : entriesByPlacement) {
    for (const one of list) {
      const line = { initiator: initiator.json, responder: responder.json, entry: one };
      yield isSameEverywhere ? line : { ...line, placement };
    }
  }
}

/** One connection has one family. */
function haveCommonFamily(one: GroupState, other: GroupState): boolean {
  for (const family of one.families) if (other.families.has(family)) return true;
  return false;
}

/** Policies do not cover connections between nodes, or between a node and a host-network pod. */
function isBeyondPolicies(one: EndpointGroup, other: EndpointGroup): boolean {
  const hosts = one.json.kind !== 'pod' && other.json.kind !== 'pod';
  return hosts && (one.json.kind === 'node' || other.json.kind === 'node');
}

function* linesWithExternal<Entry extends { key: string }>(
  group: EndpointGroup,
  direction: 'egress' | 'ingress',
  evaluators: readonly StateEvaluator[],
  { entriesOf, includesPair }: LineRequest<Entry>,
): Generator<Line<Entry>> {
  const byDirection = inOrderOf(direction);
  if (group.json.kind === 'node' || !includesPair(...byDirection<EndpointGroupJson>(group.json, externalPlaceholder)))
    return;
  const rules = group.states.flatMap((groupState, stateIndex) => {
    const selection =
      groupState && evaluators[stateIndex]!.profiles.selectionOf(groupState.partyClass.party, direction);
    return selection === undefined ? [] : rulesOf(selection);
  });
  const externalAddresses = new ExternalAddresses(rules, direction === 'egress' ? 'addresses-and-names' : 'addresses');
  for (const nameClass of externalAddresses.nameClasses) {
    const rangesByEntry = new Map<string, { entry: Entry; ranges: AddressRange[] }>();
    for (const range of externalAddresses.ranges(familiesOf(group.states))) {
      const party = externalParty(range, nameClass);
      const profiles = group.states.map((groupState, stateIndex) =>
        groupState?.families.has(range.family)
          ? evaluators[stateIndex]!.profiles.profileOf(...byDirection(groupState.partyClass.party, party))
          : undefined,
      );
      for (const entry of entriesOf(profiles)) {
        const existing = rangesByEntry.get(entry.key);
        if (existing === undefined) rangesByEntry.set(entry.key, { entry, ranges: [range] });
        else existing.ranges.push(range);
      }
    }
    for (const { entry, ranges } of rangesByEntry.values()) {
      const [initiator, responder] = byDirection<EndpointGroupJson>(group.json, externalJson(ranges, nameClass));
      yield { initiator, responder, entry };
    }
  }
}

function* linesWithOtherPods<Entry extends { key: string }>(
  group: EndpointGroup,
  direction: 'egress' | 'ingress',
  exposure: Exposure,
  { entriesOf, includesPair }: LineRequest<Entry>,
): Generator<Line<Entry>> {
  for (const { json, profiles } of exposure.endsOf(group, direction)) {
    const [initiator, responder] = inOrderOf(direction)<EndpointGroupJson>(group.json, json);
    if (!includesPair(initiator, responder)) continue;
    for (const entry of entriesOf(profiles)) yield { initiator, responder, entry };
  }
}

/** The initiator first. */
function inOrderOf(direction: 'egress' | 'ingress') {
  return <End>(own: End, other: End): [End, End] => (direction === 'egress' ? [own, other] : [other, own]);
}

function familiesOf(groupStates: readonly (GroupState | undefined)[]): AddressFamily[] {
  return bothFamilies.filter((family) => groupStates.some((groupState) => groupState?.families.has(family)));
}
