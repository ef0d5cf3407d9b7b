// One-line builders for policy tests: pods, addresses, nodes, and policies from the `spec` of a manifest.
import { parseObject } from '../../cluster/parse/parse.ts';
import {
  type AnyPolicy,
  type ClusterPolicy,
  isPolicy,
  type Labels,
  type NetworkPolicy,
} from '../../model/kubernetes.ts';
import { parseProtocol, TCP } from '../../model/protocol.ts';
import type { Flow, Party, SideVerdict, Verdict } from '../../model/verdict.ts';
import { judge } from '../../policy/judge.ts';
import { defaultPolicyOptions, type PolicyOptions } from '../../policy/options.ts';
import { compilePolicies } from '../../policy/policy-set.ts';
import { ip } from './records.ts';

export type PodParty = Party & { kind: 'pod' };

/** `ports`: `{ sql: 5432 }` is TCP; `{ 'dns/UDP': 53 }` has another protocol. */
export type PodTraits = {
  ips?: readonly string[];
  node?: string;
  ports?: Readonly<Record<string, number>>;
  namespaceLabels?: Labels;
};

export function pod(place: string, labels: Labels = {}, traits: PodTraits = {}): PodParty {
  const [namespace, name] = placeOf(place);
  return {
    kind: 'pod',
    namespace,
    name,
    labels,
    namespaceLabels: { ...traits.namespaceLabels, 'kubernetes.io/metadata.name': namespace },
    addresses: (traits.ips ?? ['10.0.0.1']).map(ip),
    node: traits.node ?? 'n1',
    ports: Object.entries(traits.ports ?? {}).map(([key, port]) => {
      const [portName, protocol] = key.split('/') as [string, string | undefined];
      return { name: portName, port, protocol: parseProtocol(protocol ?? 'TCP')! };
    }),
  };
}

/** A pod template: the nodes of its pods are not known. */
export function template(place: string, labels: Labels = {}, traits: PodTraits = {}): PodParty {
  return { ...pod(place, labels, { ips: [], node: '', ...traits }), representsWorkload: true };
}

export function outside(text: string): Party {
  return { kind: 'address', address: ip(text) };
}

export function nodeAddress(text: string, node: string): Party {
  return { kind: 'address', address: ip(text), node };
}

/** A host-network pod that has no node yet. */
export function someNode(place: string): Party {
  const [namespace, name] = placeOf(place);
  return { kind: 'some-node', namespace, name };
}

/** `spec` is as in a manifest. The parser adds defaults; an invalid `spec` gives a broken policy. */
export function policy(place: string, spec: object): NetworkPolicy {
  const [namespace, name] = placeOf(place);
  const raw = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { namespace, name }, spec };
  const parsed = parseObject(raw);
  if (parsed.is !== 'object' || parsed.object.kind !== 'NetworkPolicy') throw new Error(`no policy: ${place}`);
  return parsed.object;
}

/**
 * `place` is `cnp/NAME`, `anp/NAME` or `banp/NAME`. `spec` is as in a manifest. The defaults are a subject of every pod, the
 * Admin tier and priority 100.
 */
export function clusterPolicy(place: string, spec: object): ClusterPolicy {
  const [short, name] = placeOf(place);
  const { kind, version, defaults } = clusterKinds[short]!;
  const everyPod = { subject: { namespaces: {} } };
  const apiVersion = `policy.networking.k8s.io/${version}`;
  const parsed = parseObject({ apiVersion, kind, metadata: { name }, spec: { ...everyPod, ...defaults, ...spec } });
  if (parsed.is !== 'object' || !isPolicy(parsed.object) || parsed.object.kind === 'NetworkPolicy') {
    throw new Error(`no cluster policy: ${place}`);
  }
  return parsed.object;
}

const clusterKinds: Record<string, { kind: string; version: string; defaults: object }> = {
  cnp: { kind: 'ClusterNetworkPolicy', version: 'v1alpha2', defaults: { tier: 'Admin', priority: 100 } },
  anp: { kind: 'AdminNetworkPolicy', version: 'v1alpha1', defaults: { priority: 100 } },
  banp: { kind: 'BaselineAdminNetworkPolicy', version: 'v1alpha1', defaults: {} },
};

/** A selector with one label: `app('web')` selects pods with app=web. */
export function app(name: string): { matchLabels: { app: string } } {
  return { matchLabels: { app: name } };
}

/** `port`: `TCP 80`, `UDP 53`, `ICMP`; a bare number is TCP. */
export function verdictOf(
  from: Party,
  to: Party,
  port: number | string,
  policies: readonly AnyPolicy[],
  options: Partial<PolicyOptions> = {},
): Verdict {
  return judge(flow(from, to, port), compilePolicies(policies), { ...defaultPolicyOptions, ...options });
}

export function flow(from: Party, to: Party, port: number | string): Flow {
  if (typeof port === 'number') return { initiator: from, responder: to, protocol: TCP, port };
  const [name, number] = port.split(' ') as [string, string | undefined];
  const protocol = parseProtocol(name)!;
  const parties = { initiator: from, responder: to, protocol };
  return number === undefined ? parties : { ...parties, port: Number(number) };
}

/** The verdict of that side; throws if the side is missing. */
export function sideOf(verdict: Verdict, side: 'egress' | 'ingress'): SideVerdict {
  const found = verdict.sides.find((one) => one.side === side);
  if (found === undefined) throw new Error(`the verdict has no ${side} side`);
  return found;
}

function placeOf(place: string): [string, string] {
  const [namespace, name] = place.split('/');
  if (!namespace || !name) throw new Error(`write NAMESPACE/NAME: ${place}`);
  return [namespace, name];
}
