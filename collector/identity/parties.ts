// The parties that policies judge, one object for each as long as nothing of it changes, so that a verdict can be found
// by them. Bounded: addresses outside of the cluster come and go.
import type { Address } from '../../model/address.ts';
import type { Labels, Node, Pod } from '../../model/kubernetes.ts';
import type { Party } from '../../model/verdict.ts';

type ExternalParty = { names: string; party: Party };

const maxExternals = 65_536;

export class Parties {
  readonly #pods = new WeakMap<Pod, WeakMap<Labels, Map<Address, Party>>>();
  readonly #nodes = new WeakMap<Node, Map<Address, Party>>();
  #externals = new Map<Address, ExternalParty>();

  /** `ip` is the address that it was seen with; `labelsKnown`: the namespace has no others. */
  pod(pod: Pod, ip: Address, namespaceLabels: Labels, labelsKnown: boolean): Party {
    const byLabels = getOrCreate(this.#pods, pod, () => new WeakMap<Labels, Map<Address, Party>>());
    const byAddress = getOrCreate(byLabels, namespaceLabels, () => new Map<Address, Party>());
    const known = byAddress.get(ip);
    if (known !== undefined) return known;
    const { namespace, name, labels, node, ports } = pod;
    const whole: Party = { kind: 'pod', namespace, name, labels, namespaceLabels, addresses: [ip], node, ports };
    const party = labelsKnown ? whole : { ...whole, namespaceLabelsKnown: false as const };
    // A pod has an address or two; one that was seen with any other is not kept.
    if (byAddress.size < maxAddressesPerPod) byAddress.set(ip, party);
    return party;
  }

  /** Its labels count only where the node's status has the address (rule 24): bridges and tunnels have others. */
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

  external(address: Address, names: readonly string[]): Party {
    const key = names.join(' ');
    const known = this.#externals.get(address);
    if (known !== undefined && known.names === key) return known.party;
    const party: Party = { kind: 'address', address, ...(names.length > 0 && { names }) };
    if (this.#externals.size >= maxExternals) this.#externals = new Map();
    this.#externals.set(address, { names: key, party });
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
