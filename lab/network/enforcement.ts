// The drops and rejects of a topology, in the places that a CNI uses: rules in netfilter's forward path of a node, or a
// TC filter on the host side of a pod's interface, attached after the programs that are there.
import type { Address } from '../../model/address.ts';
import type { Enforcement } from '../topology/enforcement.ts';
import { addressesOf, familyOf, type Place, type World } from '../topology/places.ts';

/** `towards-pod` is the host side's egress, `from-pod` its ingress. */
export type TcFilter = { direction: 'towards-pod' | 'from-pod'; expression: string; priority: number };

const families = ['ipv4', 'ipv6'] as const;
/** After every filter that is already attached. */
const firstPriority = 100;
type FamilyName = (typeof families)[number];

/** nft rules for the forward chain of the node. A place without a node (`any`, a prefix, an address) has rules on all nodes. */
export function forwardRules(node: string, enforcement: readonly Enforcement[], world: World): string[] {
  return enforcement.flatMap((rule) => {
    if (rule.where !== 'source-forward' && rule.where !== 'destination-forward') return [];
    const ruleNode = nodeOf(rule.where === 'source-forward' ? rule.from : rule.to, world);
    if (ruleNode !== undefined && ruleNode !== node) return [];
    return families.flatMap((family) => forwardRule(rule, family, world));
  });
}

/** Filters on the interface of the pod, with expressions of pcap-filter(7). */
export function tcFilters(
  pod: { namespace: string; name: string },
  enforcement: readonly Enforcement[],
  world: World,
): TcFilter[] {
  return enforcement.flatMap((rule): TcFilter[] => {
    const at = rule.where === 'source-tc' ? rule.from : rule.where === 'destination-tc' ? rule.to : undefined;
    if (at?.kind !== 'pod' || at.namespace !== pod.namespace || at.name !== pod.name) return [];
    const direction = rule.where === 'source-tc' ? 'from-pod' : 'towards-pod';
    return families.flatMap((family, place) => {
      const expression = captureExpression(rule, family, world);
      const priority = firstPriority + rule.order * families.length + place;
      return expression === undefined ? [] : [{ direction, expression, priority }];
    });
  });
}

/** Shell commands; the clsact qdisc stays after the filters are removed. */
export function addFilters(link: string, filters: readonly TcFilter[]): string[] {
  if (filters.length === 0) return [];
  return [
    `tc qdisc show dev ${link} | grep -q clsact || tc qdisc add dev ${link} clsact`,
    ...filters.map(({ direction, expression, priority }) => {
      // A match returns the snap length of 2, which is TC_ACT_SHOT. A miss returns 0, which ends the chain: rewritten
      // to -1, TC_ACT_UNSPEC, so that the next filter runs.
      const continueOnMiss = "sed 's/^6 0 0 0$/6 0 0 4294967295/'";
      const code = `"$(tcpdump -y EN10MB -s 2 -ddd '${expression}' | ${continueOnMiss} | tr '\\n' ',')"`;
      return `tc filter add dev ${link} ${hooks[direction]} prio ${priority} bpf bytecode ${code} direct-action`;
    }),
  ];
}

export function removeFilters(link: string, filters: readonly TcFilter[]): string[] {
  return filters.map(({ direction, priority }) => `tc filter del dev ${link} ${hooks[direction]} prio ${priority}`);
}

const hooks = { 'towards-pod': 'egress', 'from-pod': 'ingress' } as const;

/** The node whose forward path the place is behind; undefined for a place without a node. */
function nodeOf(place: Place, world: World): string | undefined {
  if (place.kind !== 'pod') return place.kind === 'node' ? place.name : undefined;
  return world.cluster.pods.find((pod) => pod.namespace === place.namespace && pod.name === place.name)?.node;
}

function forwardRule(rule: Enforcement, family: FamilyName, world: World): string[] {
  const word = family === 'ipv4' ? 'ip' : 'ip6';
  const parts: string[] = [`meta nfproto ${family}`];
  for (const [side, place] of [
    ['saddr', rule.from],
    ['daddr', rule.to],
  ] as const) {
    const texts = textsOf(place, family, world);
    if (texts === 'none') return [];
    if (texts !== 'all') parts.push(`${word} ${side} { ${texts.join(', ')} }`);
  }
  if (rule.protocol === 'ICMP') parts.push(`${family === 'ipv4' ? 'icmp' : 'icmpv6'} type echo-request`);
  else if (rule.port !== 0) parts.push(`${rule.protocol!.toLowerCase()} dport ${rule.port}`);
  else if (rule.protocol !== undefined) parts.push(`meta l4proto ${rule.protocol.toLowerCase()}`);
  return [`${parts.join(' ')} counter ${actionText(rule.action, family)}`];
}

function actionText(action: Enforcement['action'], family: FamilyName): string {
  const icmp = family === 'ipv4' ? 'icmp' : 'icmpv6';
  switch (action) {
    case 'drop':
      return 'drop';
    case 'reset':
      return 'reject with tcp reset';
    case 'unreachable':
      return `reject with ${icmp} type port-unreachable`;
    case 'prohibited':
      return `reject with ${icmp} type admin-prohibited`;
  }
}

function captureExpression(rule: Enforcement, family: FamilyName, world: World): string | undefined {
  const parts: string[] = [family === 'ipv4' ? 'ip' : 'ip6'];
  for (const [side, place] of [
    ['src', rule.from],
    ['dst', rule.to],
  ] as const) {
    const texts = textsOf(place, family, world);
    if (texts === 'none') return undefined;
    if (texts === 'all') continue;
    const word = place.kind === 'prefix' ? 'net' : 'host';
    parts.push(`(${texts.map((text) => `${side} ${word} ${text}`).join(' or ')})`);
  }
  // Only echo requests: neighbour discovery must pass.
  if (rule.protocol === 'ICMP') parts.push(family === 'ipv4' ? 'icmp[icmptype] == icmp-echo' : 'ip6[40] == 128');
  else if (rule.port !== 0) parts.push(`${rule.protocol!.toLowerCase()} dst port ${rule.port}`);
  else if (rule.protocol !== undefined) parts.push(rule.protocol.toLowerCase());
  return parts.join(' and ');
}

function textsOf(place: Place, family: FamilyName, world: World): 'all' | 'none' | string[] {
  if (place.kind === 'any') return 'all';
  if (place.kind === 'prefix') {
    return (place.prefix.bytes.length === 16) === (family === 'ipv6') ? [place.prefix.text] : 'none';
  }
  const found = (addressesOf(place, world) ?? []).filter((address: Address) => familyOf(address) === family);
  return found.length === 0 ? 'none' : found;
}
