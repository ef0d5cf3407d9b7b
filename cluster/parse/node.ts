// A Node: its addresses, the address ranges of its pods, and its zone.
import type { Prefix } from '../../model/address.ts';
import type { Node } from '../../model/kubernetes.ts';
import type { Field } from './field.ts';
import type { Metadata } from './metadata.ts';
import { addresses, labels, prefix } from './values.ts';

export function node(field: Field, meta: Metadata): Node {
  const { name, uid } = meta;
  const own = labels(meta.labels);
  const listed = field
    .at('status')
    .at('addresses')
    .items()
    .filter((item) => item.at('type').value === 'InternalIP' || item.at('type').value === 'ExternalIP')
    .map((item) => item.at('address'));
  return {
    kind: 'Node',
    name,
    namespace: '',
    uid,
    labels: own,
    addresses: addresses(listed),
    podPrefixes: podPrefixes(field.at('spec')),
    zone: own['topology.kubernetes.io/zone'] ?? '',
  };
}

function podPrefixes(spec: Field): Prefix[] {
  const found = new Map<string, Prefix>();
  for (const field of [...spec.at('podCIDRs').items(), spec.at('podCIDR')]) {
    const range = field.value === '' ? undefined : prefix(field);
    if (range !== undefined) found.set(range.text, range);
  }
  return [...found.values()];
}
