// The rules once more, as slowly and plainly as they are written: from the manifest's own text, with no code of policy/.
// Doubt is worked out by trying every world that may be: each address that an end may have, each thing that a policy
// that cannot be read may say. A verdict is known where it is the same in all of them.

export type RawRequirement = { key: string; operator: string; values?: string[] };
export type RawSelector = { matchLabels?: Record<string, string>; matchExpressions?: RawRequirement[] };
export type RawPeer = {
  podSelector?: RawSelector;
  namespaceSelector?: RawSelector;
  ipBlock?: { cidr: string; except?: string[] };
};
export type RawPort = { protocol?: string; port?: number | string; endPort?: number };
export type RawIngress = { from?: RawPeer[]; ports?: RawPort[] };
export type RawEgress = { to?: RawPeer[]; ports?: RawPort[] };
export type RawSpec = {
  podSelector?: RawSelector;
  policyTypes?: string[];
  ingress?: RawIngress[];
  egress?: RawEgress[];
};
/** `fault` is the part that cannot be read. */
export type RawPolicy = {
  namespace: string;
  name: string;
  spec: RawSpec;
  fault?: 'rule' | 'podSelector' | 'policyTypes';
};

export type RawEnd =
  | {
      is: 'pod';
      namespace: string;
      name: string;
      labels: Record<string, string>;
      namespaceLabels: Record<string, string>;
      ips: string[];
      node: string;
      ports: { name: string; protocol: string; port: number }[];
      template: boolean;
    }
  | { is: 'address'; ip: string; node: string }
  | { is: 'some-node' };

export type RawQuestion = { from: RawEnd; to: RawEnd; protocol: string; port: number | undefined };
export type RawOptions = { ipBlockMatchesPods: boolean; declaredBy: 'any' | 'every' };
export type Said = 'allowed' | 'undeclared' | 'denied' | 'unknown';

export function oracle(
  question: RawQuestion,
  policies: RawPolicy[],
  options: RawOptions,
): { all: Said; sides: Said[] } {
  const sides: Said[] = [];
  if (question.from.is === 'pod') sides.push(sideIs('egress', question.from, question.to, question, policies, options));
  if (question.to.is === 'pod') sides.push(sideIs('ingress', question.to, question.from, question, policies, options));
  return { all: bothTogether(sides, options), sides };
}

function bothTogether(sides: Said[], options: RawOptions): Said {
  if (sides.includes('denied')) return 'denied';
  if (sides.includes('unknown')) return 'unknown';
  if (sides.length === 0) return 'undeclared';
  const allowed = sides.filter((side) => side === 'allowed').length;
  if (options.declaredBy === 'every') return allowed === sides.length ? 'allowed' : 'undeclared';
  return allowed > 0 ? 'allowed' : 'undeclared';
}

type RawPod = RawEnd & { is: 'pod' };
type Side = 'egress' | 'ingress';
/** What a policy that cannot be read says in one world; the others say what they say. */
type World = { otherIps: string[]; unread: ('nothing' | 'allow' | 'deny')[] };

function sideIs(
  side: Side,
  own: RawPod,
  other: RawEnd,
  question: RawQuestion,
  policies: RawPolicy[],
  options: RawOptions,
): Said {
  if (other.is === 'pod' && !own.template && !other.template) {
    if (other.namespace === own.namespace && other.name === own.name) return 'allowed';
  }
  if (other.is === 'address' && other.node !== '' && other.node === own.node) return 'allowed';

  const said = new Set<Said>();
  for (const world of worlds(side, own, other, policies)) {
    said.add(sideInWorld(side, own, other, question, policies, options, world));
  }
  const maybeOwnNode = other.is === 'some-node' || (other.is === 'address' && other.node !== '' && own.node === '');
  if (maybeOwnNode && said.has('denied')) said.add('allowed');
  return said.size === 1 ? [...said][0]! : 'unknown';
}

function sideInWorld(
  side: Side,
  own: RawPod,
  other: RawEnd,
  question: RawQuestion,
  policies: RawPolicy[],
  options: RawOptions,
  world: World,
): Said {
  let isolated = false;
  let allowed = false;
  for (const [index, policy] of policies.entries()) {
    const unread = world.unread[index];
    if (policy.fault !== undefined) {
      if (unread === 'allow' || unread === 'deny') isolated = true;
      if (unread === 'allow') allowed = true;
      continue;
    }
    if (policy.namespace !== own.namespace) continue;
    if (!fits(policy.spec.podSelector ?? {}, own.labels)) continue;
    if (!directions(policy.spec).includes(side)) continue;
    isolated = true;
    const rules =
      side === 'egress'
        ? (policy.spec.egress ?? []).map((rule) => ({ peers: rule.to, ports: rule.ports }))
        : (policy.spec.ingress ?? []).map((rule) => ({ peers: rule.from, ports: rule.ports }));
    for (const { peers, ports } of rules) {
      const peerFits =
        peers === undefined ||
        peers.length === 0 ||
        peers.some((peer) => peerIs(peer, own, other, policy.namespace, options, world.otherIps));
      const portFits = ports === undefined || ports.length === 0 || ports.some((port) => portIs(port, question));
      if (peerFits && portFits) allowed = true;
    }
  }
  if (!isolated) return 'undeclared';
  return allowed ? 'allowed' : 'denied';
}

function directions(spec: RawSpec): Side[] {
  const types = spec.policyTypes ?? [];
  if (types.length > 0) {
    const named: Side[] = [];
    if (types.includes('Ingress')) named.push('ingress');
    if (types.includes('Egress')) named.push('egress');
    return named;
  }
  return spec.egress !== undefined && spec.egress.length > 0 ? ['ingress', 'egress'] : ['ingress'];
}

function peerIs(
  peer: RawPeer,
  own: RawPod,
  other: RawEnd,
  namespace: string,
  options: RawOptions,
  otherIps: string[],
): boolean {
  if (peer.ipBlock !== undefined) {
    if (other.is === 'pod' && !options.ipBlockMatchesPods) return false;
    const { cidr, except = [] } = peer.ipBlock;
    const usable =
      own.ips.length === 0 ? otherIps : otherIps.filter((ip) => own.ips.some((mine) => v6(mine) === v6(ip)));
    const seen = other.is === 'address' ? [other.ip] : usable;
    return seen.some((ip) => isIn(ip, cidr) && !except.some((hole) => isIn(ip, hole)));
  }
  if (other.is !== 'pod') return false;
  const rightNamespace =
    peer.namespaceSelector === undefined
      ? other.namespace === namespace
      : fits(peer.namespaceSelector, other.namespaceLabels);
  return rightNamespace && fits(peer.podSelector ?? {}, other.labels);
}

function portIs(entry: RawPort, { protocol, port, to }: RawQuestion): boolean {
  if ((entry.protocol ?? 'TCP') !== protocol) return false;
  if (entry.port === undefined) return true;
  if (port === undefined) return false;
  if (typeof entry.port === 'number') return port >= entry.port && port <= (entry.endPort ?? entry.port);
  if (to.is !== 'pod') return false;
  return to.ports
    .filter((one) => one.name === entry.port && one.protocol === protocol)
    .some((one) => one.port === port);
}

function fits(selector: RawSelector, labels: Record<string, string>): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false;
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const there = key in labels;
    if (operator === 'Exists' && !there) return false;
    if (operator === 'DoesNotExist' && there) return false;
    if (operator === 'In' && !(there && values.includes(labels[key]!))) return false;
    if (operator === 'NotIn' && there && values.includes(labels[key]!)) return false;
  }
  return true;
}

function* worlds(side: Side, own: RawPod, other: RawEnd, policies: RawPolicy[]): Generator<World> {
  const unread = policies.map((policy): World['unread'] => {
    if (policy.fault === undefined || policy.namespace !== own.namespace) return ['nothing'];
    if (policy.fault !== 'podSelector' && !fits(policy.spec.podSelector ?? {}, own.labels)) return ['nothing'];
    if (policy.fault !== 'policyTypes' && !directions(policy.spec).includes(side)) return ['nothing'];
    return policy.fault === 'rule' ? ['allow', 'deny'] : ['nothing', 'allow', 'deny'];
  });
  const combinations = unread.reduce<World['unread'][]>(
    (done, choices) => done.flatMap((one) => choices.map((choice) => [...one, choice])),
    [[]],
  );
  for (const otherIps of ipsOf(other, policies)) for (const one of combinations) yield { otherIps, unread: one };
}

/** An end without addresses may have any one of each family: those at the edges of each block stand for all. */
function ipsOf(other: RawEnd, policies: RawPolicy[]): string[][] {
  if (other.is === 'address') return [[other.ip]];
  if (other.is === 'pod' && other.ips.length > 0) return [other.ips];
  const edges = new Set(['198.51.100.77', '3fff::77']);
  for (const { spec, fault } of policies) {
    if (fault !== undefined) continue;
    const peers = [...(spec.ingress ?? []).map((rule) => rule.from), ...(spec.egress ?? []).map((rule) => rule.to)];
    for (const { ipBlock } of peers.flatMap((list) => list ?? [])) {
      if (ipBlock !== undefined)
        for (const cidr of [ipBlock.cidr, ...(ipBlock.except ?? [])]) edges.add(cidr.split('/')[0]!);
    }
  }
  const fours = [...edges].filter((ip) => !v6(ip));
  const sixes = [...edges].filter(v6);
  return fours.flatMap((four) => sixes.map((six) => [four, six]));
}

function v6(ip: string): boolean {
  return ip.includes(':');
}

function isIn(ip: string, cidr: string): boolean {
  const [network, bits] = cidr.split('/') as [string, string];
  if (v6(ip) !== v6(network)) return false;
  const rest = BigInt((v6(ip) ? 128 : 32) - Number(bits));
  return numberOf(ip) >> rest === numberOf(network) >> rest;
}

function numberOf(ip: string): bigint {
  if (!v6(ip)) return ip.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const [head, tail] = ip.split('::') as [string, string | undefined];
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].reduce((sum, part) => sum * 65536n + BigInt(`0x${part}`), 0n);
}
