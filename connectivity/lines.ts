// Who may reach whom: each pair of places, and each place with the outside, judged in one world or in two that are
// compared. What is told of a pair is `tell`'s business: an empty list is no line.
import type { Policy } from '../model/kubernetes.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { compilePolicies } from '../policy/policy-set.ts';
import type { AddressRange, Family } from './address-ranges.ts';
import { Classes, type PartyClass } from './classes.ts';
import { rulesOf } from './mentions.ts';
import { Outside, outsideJson, partyIn } from './outside.ts';
import { type Placement, placed, placements, placementsOf } from './placement.ts';
import { type Place, type PlaceJson, placesOf, type Resident, type Standing } from './places.ts';
import { type Profile, Profiles } from './profile.ts';

/** Manifests as policies see them. */
export type World = { residents: readonly Resident[]; policies: readonly Policy[] };

/** `placement` is told where it makes a difference: what passes on the same node alone is told with it too. */
export type Line<Told> = { initiator: PlaceJson; responder: PlaceJson; placement?: Placement; told: Told };

/** Undefined where one of the ends is not there. The same profiles must give the same list. */
export type Tell<Told> = (profiles: readonly (Profile | undefined)[]) => readonly Told[];

export type Asked<Told> = {
  tell: Tell<Told>;
  /** Whether anybody asks about this pair. */
  concerns(initiator: PlaceJson, responder: PlaceJson): boolean;
  onProgress?(done: number, of: number): void;
};

const outsideAlone: PlaceJson = { kind: 'external', addresses: [] };
const bothFamilies: readonly Family[] = ['IPv4', 'IPv6'];

export function* linesOf<Told extends { key: string }>(
  worlds: readonly World[],
  options: PolicyOptions,
  asked: Asked<Told>,
): Generator<Line<Told>> {
  const classes = new Classes(worlds.flatMap(({ policies }) => policies));
  const places = placesOf(
    worlds.map(({ residents }) => residents),
    classes,
  );
  const known = new Map<string, Profile>();
  const judged = worlds.map(({ policies }) => new Judged(new Profiles(compilePolicies(policies), options, known)));
  for (const [done, initiator] of places.entries()) {
    asked.onProgress?.(done, places.length);
    for (const responder of places) yield* between(initiator, responder, judged, asked);
    yield* withOutside(initiator, 'egress', judged, asked);
    yield* withOutside(initiator, 'ingress', judged, asked);
  }
}

class Judged {
  readonly profiles: Profiles;
  readonly #known = new Map<number, Profile>();

  constructor(profiles: Profiles) {
    this.profiles = profiles;
  }

  between(initiator: PartyClass, responder: PartyClass, placement: Placement): Profile {
    const key = (initiator.id * 1_000_000 + responder.id) * placements.length + placements.indexOf(placement);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const profile = this.profiles.of(...placed(initiator.party, responder.party, placement));
    this.#known.set(key, profile);
    return profile;
  }
}

function* between<Told extends { key: string }>(
  initiator: Place,
  responder: Place,
  judged: readonly Judged[],
  { tell, concerns }: Asked<Told>,
): Generator<Line<Told>> {
  if (initiator === responder && initiator.single) return;
  if (isBeyondPolicies(initiator, responder) || !concerns(initiator.json, responder.json)) return;
  const pairs = judged.map((one, world) => {
    const [from, to] = [initiator.standings[world], responder.standings[world]];
    return from && to && shareFamily(from, to) ? ([one, from, to] as const) : ([one, undefined, undefined] as const);
  });
  const there = new Set(pairs.flatMap(([, from, to]) => (from && to ? placementsOf(from, to) : [])));
  const told = placements
    .filter((placement) => there.has(placement))
    .map((placement) => ({
      placement,
      list: tell(pairs.map(([one, from, to]) => from && to && one.between(from.of, to.of, placement))),
    }));
  const same = told.every(
    ({ list, placement }) => list === told[0]!.list && (told.length > 1 || placement !== 'same-node'),
  );
  for (const { placement, list } of same ? told.slice(0, 1) : told) {
    for (const one of list) {
      const line = { initiator: initiator.json, responder: responder.json, told: one };
      yield same ? line : { ...line, placement };
    }
  }
}

/** One connection has one family. */
function shareFamily(one: Standing, other: Standing): boolean {
  for (const family of one.families) if (other.families.has(family)) return true;
  return false;
}

/** No policy speaks of what nodes do with one another, with host-network pods and with the outside. */
function isBeyondPolicies(one: Place, other: Place): boolean {
  const hosts = one.json.kind !== 'pod' && other.json.kind !== 'pod';
  return hosts && (one.json.kind === 'node' || other.json.kind === 'node');
}

function* withOutside<Told extends { key: string }>(
  place: Place,
  direction: 'egress' | 'ingress',
  judged: readonly Judged[],
  { tell, concerns }: Asked<Told>,
): Generator<Line<Told>> {
  const ends = <End>(own: End, other: End): [End, End] => (direction === 'egress' ? [own, other] : [other, own]);
  if (place.json.kind === 'node' || !concerns(...ends<PlaceJson>(place.json, outsideAlone))) return;
  const rules = place.standings.flatMap((standing, world) => {
    const selection = standing && judged[world]!.profiles.selectionOf(standing.of.party, direction);
    return selection === undefined ? [] : rulesOf(selection);
  });
  const outside = new Outside(rules, direction === 'egress' ? 'addresses-and-names' : 'addresses');
  for (const named of outside.named) {
    const found = new Map<string, { told: Told; ranges: AddressRange[] }>();
    for (const range of outside.ranges(familiesOf(place.standings))) {
      const party = partyIn(range, named);
      const profiles = place.standings.map((standing, world) =>
        standing?.families.has(range.family)
          ? judged[world]!.profiles.of(...ends(standing.of.party, party))
          : undefined,
      );
      for (const told of tell(profiles)) {
        const known = found.get(told.key);
        if (known === undefined) found.set(told.key, { told, ranges: [range] });
        else known.ranges.push(range);
      }
    }
    for (const { told, ranges } of found.values()) {
      const [initiator, responder] = ends<PlaceJson>(place.json, outsideJson(ranges, named));
      yield { initiator, responder, told };
    }
  }
}

function familiesOf(standings: readonly (Standing | undefined)[]): Family[] {
  return bothFamilies.filter((family) => standings.some((standing) => standing?.families.has(family)));
}
