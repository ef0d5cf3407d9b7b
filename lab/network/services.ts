// Services by DNAT in nftables, as kube-proxy does it: a random endpoint; masquerade where replies would take another path
// (hairpin, node ports) or the topology asks for it; reject if a Service has no endpoint.
import { type Address, isIpv6 } from '../../model/address.ts';
import type { LabService, LabServicePort } from '../topology/cluster.ts';

/** The node of the rules. `localAddresses`: of the node and its pods. */
export type ServiceNode = { localAddresses: ReadonlySet<Address> };

/** kube-proxy's mark for a packet to be masqueraded. */
const masqueradeMark = '0x4000';

type Chains = { chains: string[]; dispatch: string[]; nodePorts: string[]; refused: string[] };

/** One atomic replacement of both families' tables. */
export function serviceRuleset(
  services: readonly LabService[],
  node: ServiceNode,
  isMasqueraded: (service: LabService) => boolean,
): string[] {
  return (['ip', 'ip6'] as const).flatMap((family) => tableOf(family, services, node, isMasqueraded));
}

function tableOf(
  family: 'ip' | 'ip6',
  services: readonly LabService[],
  node: ServiceNode,
  isMasqueraded: (service: LabService) => boolean,
): string[] {
  const rules: Chains = { chains: [], dispatch: [], nodePorts: [], refused: [] };
  const ports = services.flatMap((service) => service.ports.map((port) => ({ service, port })));
  for (const [index, { service, port }] of ports.entries()) {
    addPort(family, `port${index}`, service, port, node, isMasqueraded(service), rules);
  }
  return [
    `table ${family} kube-proxy`,
    `delete table ${family} kube-proxy`,
    `table ${family} kube-proxy {`,
    ...rules.chains,
    ...chain('services', undefined, [...rules.dispatch, 'fib daddr type local jump nodeports']),
    ...chain('nodeports', undefined, rules.nodePorts),
    ...chain('prerouting', 'type nat hook prerouting priority dstnat', ['jump services']),
    ...chain('output', 'type nat hook output priority -100', ['jump services']),
    ...chain('postrouting', 'type nat hook postrouting priority srcnat', [
      // A packet keeps its mark in a tunnel: cleared, or the outer packet would be masqueraded too.
      `meta mark & ${masqueradeMark} != 0 meta mark set meta mark ^ ${masqueradeMark} masquerade fully-random`,
    ]),
    ...chain('refused-forward', 'type filter hook forward priority -110', rules.refused),
    ...chain('refused-output', 'type filter hook output priority -110', rules.refused),
    '}',
  ];
}

function addPort(
  family: 'ip' | 'ip6',
  name: string,
  service: LabService,
  port: LabServicePort,
  node: ServiceNode,
  masqueraded: boolean,
  rules: Chains,
): void {
  const ofFamily = (address: Address): boolean => isIpv6(address) === (family === 'ip6');
  const protocol = port.protocol.toLowerCase();
  const addresses = [...service.clusterAddresses, ...service.outerAddresses].filter(ofFamily);
  const endpoints = port.endpoints.filter((endpoint) => ofFamily(endpoint.address));
  const local = endpoints.filter((endpoint) => node.localAddresses.has(endpoint.address));
  if (endpoints.length === 0) {
    rules.refused.push(
      ...addresses.map((address) => `${family} daddr ${address} ${protocol} dport ${port.port} reject`),
    );
    return;
  }
  for (const [index, endpoint] of endpoints.entries()) {
    rules.chains.push(
      ...chain(`${name}-endpoint${index}`, undefined, [
        `${family} saddr ${endpoint.address} ${mark}`,
        `meta l4proto ${protocol} dnat to ${dnatTarget(endpoint)}`,
      ]),
    );
  }
  const targets = endpoints.map((_, index) => `${name}-endpoint${index}`);
  rules.chains.push(...chain(name, undefined, [...(masqueraded ? [mark] : []), oneOf(targets)]));
  rules.dispatch.push(
    ...addresses.map((address) => `${family} daddr ${address} ${protocol} dport ${port.port} goto ${name}`),
  );
  if (port.nodePort === 0) return;
  const localTargets = local.map((endpoint) => targets[endpoints.indexOf(endpoint)]!);
  const outer = localOrAll(service, targets, localTargets);
  rules.chains.push(...chain(`${name}-outer`, undefined, outer));
  rules.nodePorts.push(`${protocol} dport ${port.nodePort} goto ${name}-outer`);
}

const mark = `meta mark set meta mark | ${masqueradeMark}`;

/** externalTrafficPolicy: Local keeps the client's address and this node's endpoints; without one, packets are dropped. */
function localOrAll(service: LabService, all: readonly string[], local: readonly string[]): string[] {
  if (!service.externalLocal) return [mark, oneOf(all)];
  return [local.length === 0 ? 'drop' : oneOf(local)];
}

function oneOf(chains: readonly string[]): string {
  const map = chains.map((name, index) => `${index} : goto ${name}`).join(', ');
  return chains.length === 1 ? `goto ${chains[0]}` : `numgen random mod ${chains.length} vmap { ${map} }`;
}

function dnatTarget(endpoint: { address: Address; port: number }): string {
  return isIpv6(endpoint.address) ? `[${endpoint.address}]:${endpoint.port}` : `${endpoint.address}:${endpoint.port}`;
}

function chain(name: string, hook: string | undefined, rules: readonly string[]): string[] {
  return [`chain ${name} {`, ...(hook === undefined ? [] : [`${hook};`]), ...rules, '}'];
}
