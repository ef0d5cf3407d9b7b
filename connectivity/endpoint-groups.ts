// The ends of the listed connections: workloads, nodes and external addresses. Pods of one workload are in one group unless
// policies distinguish them, before or after a change of the manifests.
import type { Address } from '../model/address.ts';
import type { WorkloadRef } from '../model/kubernetes.ts';
import type { Party } from '../model/verdict.ts';
import { type AddressFamily, addressFamily } from './address-ranges.ts';
import type { PartyClass, PartyClasses } from './party-classes.ts';

/** A workload or node of the manifests. A workload without pods has one entry for its pod template. */
export type DeclaredEndpoint =
  | { kind: 'workload'; namespace: string; workload: WorkloadRef; pods: readonly EndpointPod[] }
  | { kind: 'node'; name: string; parties: readonly Party[] };

/** A host-network pod with several addresses has one entry for each address, with `ip`. */
export type EndpointPod = { name: string; ip?: Address; party: Party };

/** JSON output (docs/json.md). `pods` and `ips` are set if the workload or node has several groups. */
export type EndpointGroupJson =
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
    }
  | OtherPodsJson;

/** Pods that are not in the manifests. */
export type OtherPodsJson = { kind: 'other-pods' } & PodScopeJson & { except?: readonly PodScopeJson[] };

/**
 * `text` is for a person. The selectors are in the syntax of `kubectl -l`. `namespaces`: the only ones that it can be.
 */
export type PodScopeJson = {
  text: string;
  namespaces?: readonly string[];
  namespaceSelector?: string;
  podSelector?: string;
};

/**
 * The domain names that DNS answers gave an external address, if a policy has `domainNames`. `matching`: a name in
 * `names` and not in `notNames`; `others`: a name not in `notNames`; `none`: no name was seen.
 */
export type NamesSeen = 'matching' | 'others' | 'none';

/** A group in one set of manifests. `nodes` are the nodes of its members, `''` for a node that is not known. */
export type GroupState = { partyClass: PartyClass; nodes: ReadonlySet<string>; families: ReadonlySet<AddressFamily> };

/** `states` has one item for each set of manifests; undefined if the group does not exist there. */
export type EndpointGroup = {
  json: EndpointGroupJson & { kind: 'pod' | 'host' | 'node' };
  /** A pod without an owner, so no other pod belongs to its workload. */
  single: boolean;
  states: readonly (GroupState | undefined)[];
};

type Member = EndpointPod & { partyClass: PartyClass };
type MemberGroup = {
  partyClasses: (PartyClass | undefined)[];
  members: Member[][];
  names: Set<string>;
  ips: Set<string>;
};

/** Ordered by name: workloads, then nodes. `states`: one set of manifests, or two to compare. */
export function endpointGroupsOf(
  states: readonly (readonly DeclaredEndpoint[])[],
  classes: PartyClasses,
): EndpointGroup[] {
  const workloads = new Map<string, { endpoint: DeclaredEndpoint & { kind: 'workload' }; members: Member[][] }>();
  const nodes = new Map<string, Member[][]>();
  for (const [stateIndex, endpoints] of states.entries()) {
    for (const endpoint of endpoints) {
      const parties: readonly EndpointPod[] =
        endpoint.kind === 'workload'
          ? endpoint.pods
          : endpoint.parties.map((party) => ({ name: addressText(party), party }));
      const members = parties.map((one) => ({ ...one, partyClass: classes.classOf(one.party) }));
      const empty = () => states.map((): Member[] => []);
      if (endpoint.kind === 'node') getOrCreate(nodes, endpoint.name, empty)[stateIndex]!.push(...members);
      else {
        const { namespace, workload } = endpoint;
        const key = `${namespace}/${workload.name}/${workload.kind}`;
        getOrCreate(workloads, key, () => ({ endpoint, members: empty() })).members[stateIndex]!.push(...members);
      }
    }
  }
  return [
    ...inOrder(workloads).flatMap(([, { endpoint, members }]) => workloadGroups(endpoint, members)),
    ...nodeGroups(inOrder(nodes)),
  ];
}

function workloadGroups(
  endpoint: DeclaredEndpoint & { kind: 'workload' },
  members: readonly Member[][],
): EndpointGroup[] {
  const { namespace, workload } = endpoint;
  const groups = memberGroupsOf(members);
  return groups.map((group) => {
    const parties = group.members.flat();
    const kind = parties.some(({ party }) => party.kind === 'pod') ? 'pod' : 'host';
    const pods = groups.length > 1 ? { pods: [...group.names].sort() } : {};
    const ips = groups.length > 1 && group.ips.size > 0 ? { ips: [...group.ips].sort() } : {};
    return {
      json: { kind, namespace, workload: workload.name, workloadKind: workload.kind, ...pods, ...ips },
      single: workload.kind === 'Pod',
      states: groupStatesOf(group),
    };
  });
}

/** Nodes that no policy distinguishes are one group. */
function nodeGroups(nodes: readonly [string, readonly Member[][]][]): EndpointGroup[] {
  const groupsByClasses = new Map<string, MemberGroup>();
  const parts = new Map<string, number>();
  for (const [name, members] of nodes) {
    for (const group of memberGroupsOf(members)) {
      parts.set(name, (parts.get(name) ?? 0) + 1);
      const merged = getOrCreate(groupsByClasses, keyOf(group.partyClasses), () => ({
        ...group,
        members: group.members.map(() => []),
        names: new Set<string>(),
        ips: new Set<string>(),
      }));
      for (const [stateIndex, stateMembers] of group.members.entries())
        merged.members[stateIndex]!.push(...stateMembers);
      merged.names.add(name);
      for (const ip of group.names) merged.ips.add(ip);
    }
  }
  return [...groupsByClasses.values()].map((group) => {
    const names = [...group.names].sort();
    const ips = names.some((name) => parts.get(name)! > 1) ? { ips: [...group.ips].sort() } : {};
    return { json: { kind: 'node', nodes: names, ...ips }, single: false, states: groupStatesOf(group) };
  });
}

/**
 * Groups members by their class in each set of manifests. A member is compared with the member of the same name in the
 * other set. Without such a member, it is compared with each class of the other set.
 */
function memberGroupsOf(members: readonly Member[][]): MemberGroup[] {
  const groups = new Map<string, MemberGroup>();
  const put = (byState: readonly (Member | undefined)[]): void => {
    const partyClasses = byState.map((member) => member?.partyClass);
    const group = getOrCreate(groups, keyOf(partyClasses), () => ({
      partyClasses,
      members: byState.map(() => []),
      names: new Set<string>(),
      ips: new Set<string>(),
    }));
    for (const [stateIndex, member] of byState.entries()) {
      if (member === undefined) continue;
      group.members[stateIndex]!.push(member);
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
  const choices = (candidates: readonly Member[]) =>
    candidates.length === 0 ? [undefined] : [...new Map(candidates.map((one) => [one.partyClass, one])).values()];
  for (const member of first) {
    for (const other of after.has(nameOf(member)) ? [after.get(nameOf(member))] : choices(second)) put([member, other]);
  }
  for (const member of second)
    if (!before.has(nameOf(member))) for (const other of choices(first)) put([other, member]);
  return [...groups.values()];
}

function groupStatesOf({ partyClasses: partyClass, members }: MemberGroup): (GroupState | undefined)[] {
  return partyClass.map((one, stateIndex) => {
    if (one === undefined) return undefined;
    const parties = members[stateIndex]!.map(({ party }) => party);
    const addresses = parties.flatMap(addressesOf);
    const allKnown = parties.every((party) => addressesOf(party).length > 0);
    const families = allKnown && addresses.length > 0 ? addresses.map(addressFamily) : (['IPv4', 'IPv6'] as const);
    return { partyClass: one, nodes: new Set(parties.flatMap(nodeOf)), families: new Set(families) };
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

function keyOf(partyClasses: readonly (PartyClass | undefined)[]): string {
  return partyClasses.map((one) => one?.id ?? '-').join(' ');
}

function getOrCreate<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
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
