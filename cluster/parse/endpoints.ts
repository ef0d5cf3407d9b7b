// Endpoints of v1, which EndpointSlices replace: as the slices that the cluster makes of them, one for each subset.
import type { EndpointSlice, Endpoints } from '../../model/kubernetes.ts';
import { endpointPort, podOf } from './endpoint-slice.ts';
import type { Field } from './field.ts';
import type { Metadata } from './metadata.ts';
import { addresses } from './values.ts';

/** They have the name of their Service. */
export function endpoints(field: Field, meta: Metadata): Endpoints {
  const { name, namespace, uid } = meta;
  const slices = field
    .at('subsets')
    .items()
    .map((subset, at): EndpointSlice => {
      const listed = subset.at('addresses').items();
      const notReady = addressesOf(subset.at('notReadyAddresses').items());
      const pods = listed.flatMap((one) => {
        const pod = podOf(one.at('targetRef'), namespace);
        return pod === undefined ? [] : addressesOf([one]).map((address) => [address, pod]);
      });
      return {
        kind: 'EndpointSlice',
        name: `Endpoints/${name}/${at}`,
        namespace,
        uid: `${uid}/${at}`,
        service: name,
        fromEndpoints: true,
        addresses: addressesOf(listed),
        ...(notReady.length > 0 && { notReady }),
        ...(pods.length > 0 && { pods: Object.fromEntries(pods) }),
        ports: subset
          .at('ports')
          .items()
          .flatMap((port) => endpointPort(port) ?? []),
      };
    });
  return { kind: 'Endpoints', name, namespace, uid, slices };
}

/** A part could not be read, so there may be more endpoints. Without a readable subset, an empty slice says so. */
export function brokenEndpoints(parsed: Endpoints): Endpoints {
  const { kind: _, slices, ...rest } = parsed;
  const empty = { kind: 'EndpointSlice' as const, ...rest, service: rest.name, addresses: [], ports: [] };
  const all: readonly EndpointSlice[] = slices.length > 0 ? slices : [empty];
  return { ...parsed, slices: all.map((slice) => ({ ...slice, fromEndpoints: true, broken: true })) };
}

function addressesOf(fields: readonly Field[]) {
  return addresses(fields.map((one) => one.at('ip')));
}
