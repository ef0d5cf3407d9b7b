// Services by DNAT in nftables, as kube-proxy does it: a random endpoint, masquerade where the answer would go astray
// (hairpin, node ports) or where the topology asks for it, refusal where a Service has no endpoint.
import { type Address, isIpv6 } from '../../model/address.ts';
import type { LabService, LabServicePort } from '../cluster.ts';

/** The node that the rules are for. `localAddresses` are those of its own pods and its own. */
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
  const made: Chains = { chains: [], dispatch: [], nodePorts: [], refused: [] };
  const ports = services.flatMap((service) => service.ports.map((port) => ({ service, port })));
  for (const [index, { service, port }] of ports.entries()) {
    addPort(family, `port${index}`, service, port, node, isMasqueraded(service), made);
  }
  return [
    `table ${family} kube-proxy`,
    `delete table ${family} kube-proxy`,
    `table ${family} kube-proxy {`,
    ...made.chains,
    ...chain('services', undefined, [...made.dispatch, 'fib daddr type local jump nodeports']),
    ...chain('nodeports', undefined, made.nodePorts),
    ...chain('prerouting', 'type nat hook prerouting priority dstnat', ['jump services']),
    ...chain('output', 'type nat hook output priority -100', ['jump services']),
    ...chain('postrouting', 'type nat hook postrouting priority srcnat', [
      // The mark goes with the packet into a tunnel: left on, the outer packet would be masqueraded as well.
      `meta mark & ${masqueradeMark} != 0 meta mark set meta mark ^ ${masqueradeMark} masquerade fully-random`,
    ]),
    ...chain('refused-forward', 'type filter hook forward priority -110', made.refused),
    ...chain('refused-output', 'type filter hook output priority -110', made.refused),
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
  made: Chains,
): void {
  const ofFamily = (address: Address): boolean => isIpv6(address) === (family === 'ip6');
  const protocol = port.protocol.toLowerCase();
  const addresses = [...service.clusterAddresses, ...service.outerAddresses].filter(ofFamily);
  const endpoints = port.endpoints.filter((endpoint) => ofFamily(endpoint.address));
  const local = endpoints.filter((endpoint) => node.localAddresses.has(endpoint.address));
  if (endpoints.length === 0) {
    made.refused.push(
      ...addresses.map((address) => `${family} daddr ${address} ${protocol} dport ${port.port} reject`),
    );
    return;
  }
  for (const [index, endpoint] of endpoints.entries()) {
    made.chains.push(
      ...chain(`${name}-endpoint${index}`, undefined, [
        `${family} saddr ${endpoint.address} ${mark}`,
        `meta l4proto ${protocol} dnat to ${dnatTarget(endpoint)}`,
      ]),
    );
  }
  const targets = endpoints.map((_, index) => `${name}-endpoint${index}`);
  made.chains.push(...chain(name, undefined, [...(masqueraded ? [mark] : []), oneOf(targets)]));
  made.dispatch.push(
    ...addresses.map((address) => `${family} daddr ${address} ${protocol} dport ${port.port} goto ${name}`),
  );
  if (port.nodePort === 0) return;
  const localTargets = local.map((endpoint) => targets[endpoints.indexOf(endpoint)]!);
  const outer = localOrAll(service, targets, localTargets);
  made.chains.push(...chain(`${name}-outer`, undefined, outer));
  made.nodePorts.push(`${protocol} dport ${port.nodePort} goto ${name}-outer`);
}

const mark = `meta mark set meta mark | ${masqueradeMark}`;

/** externalTrafficPolicy: Local keeps the client's address and this node's endpoints; without one the packet is lost. */
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
