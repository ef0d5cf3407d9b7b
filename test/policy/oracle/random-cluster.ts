// A small random cluster and random questions about it: pods of both families, templates, nodes, host-network pods, and
// external addresses with and without names.
import type { Address } from '../../../model/address.ts';
import { ICMP, SCTP, TCP, UDP } from '../../../model/protocol.ts';
import type { Party } from '../../../model/verdict.ts';
import { ip } from '../../scene/records.ts';
import type { Case, RawOptions, RawPolicy } from './case.ts';
import type { Chance } from './chance.ts';
import type { PodParty } from './matches.ts';
import { portNames, ports, randomPolicies } from './random-policies.ts';
import { namespaces, randomLabels } from './random-selectors.ts';

export type RandomCluster = { parties: Party[]; policies: RawPolicy[]; options: RawOptions };

export function randomCluster(chance: Chance): RandomCluster {
  const namespaceLabels = new Map(
    namespaces.map((name) => [name, { ...randomLabels(chance), 'kubernetes.io/metadata.name': name }]),
  );
  const withMoreLabels = new Set(namespaces.filter(() => chance.once(4)));
  const pod = (name: string): PodParty => {
    const namespace = chance.one(namespaces);
    return {
      kind: 'pod',
      namespace,
      name,
      labels: randomLabels(chance),
      namespaceLabels: namespaceLabels.get(namespace)!,
      ...(withMoreLabels.has(namespace) && { namespaceLabelsKnown: false as const }),
      addresses: addressesOfPod(chance),
      node: chance.once(6) ? '' : chance.one(nodes),
      ports: containerPorts(chance),
    };
  };
  const nodeLabels = new Map(nodes.map((node) => [node, randomLabels(chance)]));
  const parties: Party[] = [
    ...['p', 'q', 'r', 's'].map(pod),
    { ...pod('w'), addresses: [], node: '', representsWorkload: true },
    { ...pod(chance.one(['p', 'w'])), addresses: [], node: '', representsWorkload: true },
    ...nodes.map((node, index) => nodeParty(chance, node, index, nodeLabels.get(node)!)),
    { kind: 'some-node', namespace: 'a', name: 'exporter' },
    outside(chance),
    outside(chance),
    outside(chance),
  ];
  const options = {
    ipBlockMatchesPods: !chance.once(3),
    declaredBy: chance.once(3) ? ('every' as const) : ('any' as const),
  };
  return { parties, policies: randomPolicies(chance), options };
}

const nodes = ['n1', 'n2'];

/** Rarely an empty list: a pod that has no address yet. */
function addressesOfPod(chance: Chance): Address[] {
  const four = ip(chance.one(['10.0.0.1', '10.0.0.130', '10.0.1.1', '10.1.0.1']));
  const six = ip(chance.one(['2001:db8::1', '2001:db8:1::1', 'fd00::1']));
  return chance.one([[four], [four], [six], [four, six], [four, six], [six, four], chance.once(2) ? [] : [four]]);
}

function containerPorts(chance: Chance): PodParty['ports'] {
  return chance.list(0, 3, () => ({
    name: chance.one(portNames),
    port: chance.one(ports),
    protocol: chance.one([TCP, TCP, UDP, SCTP]),
  }));
}

/** A node, or a host-network pod on it. Its address is usually in the status of the node. */
function nodeParty(chance: Chance, node: string, index: number, nodeLabels: Record<string, string>): Party {
  const address = ip(chance.one([`172.16.0.${index + 1}`, `172.16.0.${index + 3}`, `2001:db8:1::${index + 10}`]));
  const ofStatus = chance.once(5) ? {} : { nodeLabels, ...(chance.once(4) && { nodeLabelsKnown: false as const }) };
  return {
    kind: 'address',
    address,
    node,
    ...ofStatus,
    ...(chance.once(4) && { names: [chance.one(names)], namesKnown: true as const }),
  };
}

function outside(chance: Chance): Party {
  const address = ip(
    chance.one(['192.0.2.1', '203.0.113.7', '10.0.1.77', '2001:db8::77', '2001:db8:1::77', '3fff::1']),
  );
  if (chance.once(3)) return { kind: 'address', address };
  const some = (most: number) => chance.list(0, most, () => chance.one(names));
  const known = chance.once(2) ? { namesKnown: true as const, possibleNames: some(1) } : {};
  return { kind: 'address', address, names: some(2), ...known };
}

const names = ['example.com', 'api.example.com', 'a.b.example.com', 'notexample.com', 'example.net'];

export function randomQuestion(chance: Chance, { parties, policies, options }: RandomCluster): Case {
  const pods = parties.filter((party) => party.kind === 'pod');
  const [one, other] = [chance.one(parties), chance.once(16) ? chance.one(parties) : chance.one(pods)];
  const ends = chance.once(2) ? { initiator: one, responder: other } : { initiator: other, responder: one };
  const seen = chance.once(2) ? asSeen(chance, ends.initiator, ends.responder) : ends;
  if (chance.once(8)) return { ...seen, protocol: chance.one([ICMP, 47]), policies, options };
  const protocol = chance.one([TCP, TCP, TCP, UDP, SCTP]);
  return { ...seen, protocol, port: chance.one(ports), policies, options };
}

/** An observed connection has one family, and each pod only the address that it used. */
function asSeen(chance: Chance, initiator: Party, responder: Party): { initiator: Party; responder: Party } {
  const wanted = chance.one([true, false]);
  const inFamily = (party: Party): Party => {
    if (party.kind !== 'pod') return party;
    const fitting = party.addresses.filter((one) => one.includes(':') === wanted);
    return fitting.length > 0 ? { ...party, addresses: fitting } : party;
  };
  return { initiator: inFamily(initiator), responder: inFamily(responder) };
}
