// An EndpointSlice: the ready endpoints of a Service, and the ports they answer on.
import type { EndpointPort, EndpointSlice } from '../../model/kubernetes.ts';
import type { Field } from './field.ts';
import type { Metadata } from './metadata.ts';
import { addresses, labels, portNumber, protocol } from './values.ts';

export function endpointSlice(field: Field, meta: Metadata): EndpointSlice {
  const { name, namespace, uid } = meta;
  const ready = field
    .at('endpoints')
    .items()
    // discovery.k8s.io/v1: a condition that is not given counts as ready.
    .filter((endpoint) => endpoint.at('conditions').at('ready').flag() !== false)
    .flatMap((endpoint) => endpoint.at('addresses').items());
  return {
    kind: 'EndpointSlice',
    name,
    namespace,
    uid,
    service: labels(meta.labels)['kubernetes.io/service-name'] ?? '',
    addresses: field.at('addressType').text() === 'FQDN' ? [] : addresses(ready),
    ports: field
      .at('ports')
      .items()
      .flatMap((port) => endpointPort(port) ?? []),
  };
}

/** Undefined for a port without number, which stands for every port. */
function endpointPort(field: Field): EndpointPort | undefined {
  const port = portNumber(field.at('port'), 'port');
  const read = { name: field.at('name').text() ?? '', protocol: protocol(field.at('protocol')) };
  return port === undefined ? undefined : { ...read, port };
}
