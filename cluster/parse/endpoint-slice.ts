// An EndpointSlice: the endpoints of a Service, and their ports.
import type { EndpointPort, EndpointSlice } from '../../model/kubernetes.ts';
import type { Field } from './field.ts';
import type { Metadata } from './metadata.ts';
import { addresses, labels, portNumber, protocol } from './values.ts';

export function endpointSlice(field: Field, meta: Metadata): EndpointSlice {
  const { name, namespace, uid } = meta;
  const ofAddresses = field.at('addressType').text() !== 'FQDN';
  const listed = field
    .at('endpoints')
    .items()
    .map((endpoint) => ({
      // discovery.k8s.io/v1: a missing condition means ready.
      isReady: endpoint.at('conditions').at('ready').flag() !== false,
      addresses: ofAddresses ? addresses(endpoint.at('addresses').items()) : [],
      pod: podOf(endpoint.at('targetRef'), namespace),
    }));
  const read = listed.filter(({ isReady }) => isReady);
  const notReady = listed.filter(({ isReady }) => !isReady).flatMap(({ addresses: own }) => own);
  const pods = Object.fromEntries(
    read.flatMap(({ addresses: own, pod }) => (pod === undefined ? [] : own.map((address) => [address, pod]))),
  );
  return {
    kind: 'EndpointSlice',
    name,
    namespace,
    uid,
    service: labels(meta.labels)['kubernetes.io/service-name'] ?? '',
    addresses: [...new Set(read.flatMap(({ addresses: own }) => own))],
    ...(notReady.length > 0 && { notReady: [...new Set(notReady)] }),
    ...(Object.keys(pods).length > 0 && { pods }),
    ports: field
      .at('ports')
      .items()
      .flatMap((port) => endpointPort(port) ?? []),
  };
}

/** Undefined for an endpoint that is not a pod, as a Service without selector may have. */
export function podOf(target: Field, namespace: string): string | undefined {
  const name = target.at('name').text();
  if (target.at('kind').value !== 'Pod' || !name) return undefined;
  return `${target.at('namespace').text() || namespace}/${name}`;
}

/** Undefined for a port without a number, which means every port. */
export function endpointPort(field: Field): EndpointPort | undefined {
  const port = portNumber(field.at('port'), 'port');
  const read = { name: field.at('name').text() ?? '', protocol: protocol(field.at('protocol')) };
  return port === undefined ? undefined : { ...read, port };
}
