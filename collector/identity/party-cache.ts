// The ends of connections for the policies. An end that does not change is always the same object, so it can be a key of
// the cache of verdicts. Bounded, because there may be many external addresses.
import type { Address } from '../../model/address.ts';
import type { Labels, Node, Pod } from '../../model/kubernetes.ts';
import type { Party } from '../../model/verdict.ts';
import type { GivenNames } from './dns-names.ts';

const maxExternals = 65_536;

export class PartyCache {
  readonly #pods = new WeakMap<Pod, WeakMap<Labels, Map<Address, Party>>>();
  readonly #nodes = new WeakMap<Node, Map<Address, Party>>();
  /** By address, and by address with what is known of its names. */
  #externals = new Map<string, Party>();

  /** `ip` is the address that was seen. `labelsKnown`: the namespace has no other labels. */
  pod(pod: Pod, ip: Address, namespaceLabels: Labels, labelsKnown: boolean): Party {
    const byLabels = getOrCreate(this.#pods, pod, () => new WeakMap<Labels, Map<Address, Party>>());
    const byAddress = getOrCreate(byLabels, namespaceLabels, () => new Map<Address, Party>());
    const known = byAddress.get(ip);
    if (known !== undefined) return known;
    const { namespace, name, labels, node, ports } = pod;
    const whole: Party = { kind: 'pod', namespace, name, labels, namespaceLabels, addresses: [ip], node, ports };
    const party = labelsKnown ? whole : { ...whole, namespaceLabelsKnown: false as const };
    // A pod has one or two addresses; more are not cached.
    if (byAddress.size < maxAddressesPerPod) byAddress.set(ip, party);
    return party;
  }

  /** Labels only if the node's status has the address (rule 24): bridges and tunnels have other addresses. */
  node(node: Node, address: Address): Party {
    const byAddress = getOrCreate(this.#nodes, node, () => new Map<Address, Party>());
    const known = byAddress.get(address);
    if (known !== undefined) return known;
    const inStatus = node.addresses.includes(address);
    const labels = node.broken ? { nodeLabels: {}, nodeLabelsKnown: false as const } : { nodeLabels: node.labels };
    const party: Party = { kind: 'address', address, node: node.name, ...(inStatus && labels) };
    if (byAddress.size < maxAddressesPerNode) byAddress.set(address, party);
    return party;
  }

  external(address: Address, { names, possible, gap }: Pick<GivenNames, 'names' | 'possible' | 'gap'>): Party {
    const key = `${address} ${gap ?? ''} ${names.join(' ')}|${gap === undefined ? possible.join(' ') : ''}`;
    const known = this.#externals.get(key);
    if (known !== undefined) return known;
    const party: Party = {
      kind: 'address',
      address,
      ...(names.length > 0 && { names }),
      ...(gap === undefined ? { namesKnown: true } : { namesGap: gap }),
      ...(gap === undefined && possible.length > 0 && { possibleNames: possible }),
    };
    if (this.#externals.size >= maxExternals) this.#externals = new Map();
    this.#externals.set(key, party);
    return party;
  }
}

const maxAddressesPerPod = 16;
const maxAddressesPerNode = 256;

function getOrCreate<Key extends object, Value>(map: WeakMap<Key, Value>, key: Key, create: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const fresh = create();
  map.set(key, fresh);
  return fresh;
}
