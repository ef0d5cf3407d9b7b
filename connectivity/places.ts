// Who stands at the ends: workloads, nodes and the outside. Pods of one workload that policies can tell apart are places
// of their own, and so are those whose class a change of the manifests changes.
import type { Address } from '../model/address.ts';
import type { WorkloadRef } from '../model/kubernetes.ts';
import type { Party } from '../model/verdict.ts';
import { type Family, familyOf } from './address-ranges.ts';
import type { Classes, PartyClass } from './classes.ts';

/** Who lives in the cluster by the manifests. A workload without pods is its pod template. */
export type Resident =
  | { kind: 'workload'; namespace: string; workload: WorkloadRef; pods: readonly ResidentPod[] }
  | { kind: 'node'; name: string; parties: readonly Party[] };

/** `ip` where policies may see a host-network pod by several addresses: it is one of these for each. */
export type ResidentPod = { name: string; ip?: Address; party: Party };

/** As scripts read it (docs/json.md). `pods`, `ips`: which, where the others are a place of their own. */
export type PlaceJson =
  | {
      kind: 'pod' | 'host';
      namespace: string;
      workload: string;
      workloadKind: string;
      pods?: readonly string[];
      ips?: readonly string[];
    }
  | { kind: 'node'; nodes: readonly string[]; ips?: readonly string[] }
  | {
      kind: 'external';
      addresses: readonly string[];
      namesSeen?: NamesSeen;
      names?: readonly string[];
      notNames?: readonly string[];
    };

/**
 * Of an address outside where a policy goes by names: which ones DNS answers gave it. `matching`: one of `names`, and
 * none of `notNames`; `others`: none of `notNames`.
 */
export type NamesSeen = 'matching' | 'others' | 'none';

/** What a place is in one world: `nodes` are those of its members, `''` where one is not known. */
export type Standing = { of: PartyClass; nodes: ReadonlySet<string>; families: ReadonlySet<Family> };

/** `standings` has one for each world; undefined where there is no such place. */
export type Place = {
  json: PlaceJson & { kind: 'pod' | 'host' | 'node' };
  /** A pod that nothing made: no other pod is of its workload. */
  single: boolean;
  standings: readonly (Standing | undefined)[];
};

type Member = ResidentPod & { of: PartyClass };
type Group = { of: (PartyClass | undefined)[]; members: Member[][]; names: Set<string>; ips: Set<string> };

/** In the order of their names: workloads, then nodes. `worlds`: one, or two that are compared. */
export function placesOf(worlds: readonly (readonly Resident[])[], classes: Classes): Place[] {
  const workloads = new Map<string, { resident: Resident & { kind: 'workload' }; members: Member[][] }>();
  const nodes = new Map<string, Member[][]>();
  for (const [world, residents] of worlds.entries()) {
    for (const resident of residents) {
      const parties: readonly ResidentPod[] =
        resident.kind === 'workload'
          ? resident.pods
          : resident.parties.map((party) => ({ name: addressText(party), party }));
      const members = parties.map((one) => ({ ...one, of: classes.of(one.party) }));
      const empty = () => worlds.map((): Member[] => []);
      if (resident.kind === 'node') at(nodes, resident.name, empty)[world]!.push(...members);
      else {
        const { namespace, workload } = resident;
        const key = `${namespace}/${workload.name}/${workload.kind}`;
        at(workloads, key, () => ({ resident, members: empty() })).members[world]!.push(...members);
      }
    }
  }
  return [
    ...inOrder(workloads).flatMap(([, { resident, members }]) => workloadPlaces(resident, members)),
    ...nodePlaces(inOrder(nodes)),
  ];
}

function workloadPlaces(resident: Resident & { kind: 'workload' }, members: readonly Member[][]): Place[] {
  const { namespace, workload } = resident;
  const groups = groupsOf(members);
  return groups.map((group) => {
    const parties = group.members.flat();
    const kind = parties.some(({ party }) => party.kind === 'pod') ? 'pod' : 'host';
    const pods = groups.length > 1 ? { pods: [...group.names].sort() } : {};
    const ips = groups.length > 1 && group.ips.size > 0 ? { ips: [...group.ips].sort() } : {};
    return {
      json: { kind, namespace, workload: workload.name, workloadKind: workload.kind, ...pods, ...ips },
      single: workload.kind === 'Pod',
      standings: standingsOf(group),
    };
  });
}

/** Nodes that no policy tells apart are one place. */
function nodePlaces(nodes: readonly [string, readonly Member[][]][]): Place[] {
  const places = new Map<string, Group>();
  const parts = new Map<string, number>();
  for (const [name, members] of nodes) {
    for (const group of groupsOf(members)) {
      parts.set(name, (parts.get(name) ?? 0) + 1);
      const place = at(places, keyOf(group.of), () => ({
        ...group,
        members: group.members.map(() => []),
        names: new Set<string>(),
        ips: new Set<string>(),
      }));
      for (const [world, some] of group.members.entries()) place.members[world]!.push(...some);
      place.names.add(name);
      for (const ip of group.names) place.ips.add(ip);
    }
  }
  return [...places.values()].map((group) => {
    const names = [...group.names].sort();
    const ips = names.some((name) => parts.get(name)! > 1) ? { ips: [...group.ips].sort() } : {};
    return { json: { kind: 'node', nodes: names, ...ips }, single: false, standings: standingsOf(group) };
  });
}

/**
 * By what they are in each world. A member is compared with the one of its name; where there is none, with each class
 * that the others have there.
 */
function groupsOf(members: readonly Member[][]): Group[] {
  const groups = new Map<string, Group>();
  const put = (ofWorlds: readonly (Member | undefined)[]): void => {
    const of = ofWorlds.map((member) => member?.of);
    const group = at(groups, keyOf(of), () => ({
      of,
      members: ofWorlds.map(() => []),
      names: new Set<string>(),
      ips: new Set<string>(),
    }));
    for (const [world, member] of ofWorlds.entries()) {
      if (member === undefined) continue;
      group.members[world]!.push(member);
      group.names.add(member.name);
      if (member.ip !== undefined) group.ips.add(member.ip);
    }
  };
  const [first = [], second] = members;
  if (second === undefined) {
    for (const member of first) put([member]);
    return [...groups.values()];
  }
  const nameOf = ({ name, ip }: Member) => `${name} ${ip ?? ''}`;
  const before = new Map(first.map((member) => [nameOf(member), member]));
  const after = new Map(second.map((member) => [nameOf(member), member]));
  const choices = (of: readonly Member[]) =>
    of.length === 0 ? [undefined] : [...new Map(of.map((one) => [one.of, one])).values()];
  for (const member of first) {
    for (const other of after.has(nameOf(member)) ? [after.get(nameOf(member))] : choices(second)) put([member, other]);
  }
  for (const member of second)
    if (!before.has(nameOf(member))) for (const other of choices(first)) put([other, member]);
  return [...groups.values()];
}

function standingsOf({ of, members }: Group): (Standing | undefined)[] {
  return of.map((one, world) => {
    if (one === undefined) return undefined;
    const parties = members[world]!.map(({ party }) => party);
    const addresses = parties.flatMap(addressesOf);
    const known = parties.every((party) => addressesOf(party).length > 0);
    const families = known && addresses.length > 0 ? addresses.map(familyOf) : (['IPv4', 'IPv6'] as const);
    return { of: one, nodes: new Set(parties.flatMap(nodeOf)), families: new Set(families) };
  });
}

function addressesOf(party: Party): readonly Address[] {
  if (party.kind === 'some-node') return [];
  return party.kind === 'address' ? [party.address] : party.addresses;
}

function nodeOf(party: Party): string[] {
  if (party.kind === 'some-node') return [];
  return party.node === undefined ? [] : [party.node];
}

function addressText(party: Party): string {
  return party.kind === 'address' ? party.address : '';
}

function keyOf(of: readonly (PartyClass | undefined)[]): string {
  return of.map((one) => one?.id ?? '-').join(' ');
}

function at<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function inOrder<Value>(map: Map<string, Value>): [string, Value][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
