// A Service: all its addresses, and its ports.
import type { Service, ServicePort } from '../../model/kubernetes.ts';
import { missingField } from './errors.ts';
import type { Field } from './field.ts';
import type { Metadata } from './metadata.ts';
import { addresses, labels, portName, portNumber, protocol } from './values.ts';

export function service(field: Field, meta: Metadata): Service {
  const { name, namespace, uid } = meta;
  const spec = field.at('spec');
  // A headless Service has the value None; an ExternalName Service has no address.
  const cluster = [...spec.at('clusterIPs').items(), spec.at('clusterIP')].filter((item) => item.value !== 'None');
  const balancer = field.at('status').at('loadBalancer').at('ingress').items();
  const external = [...spec.at('externalIPs').items(), ...balancer.map((item) => item.at('ip'))];
  const clusterAddresses = addresses(cluster);
  const selector = labels(spec.at('selector'));
  return {
    kind: 'Service',
    name,
    namespace,
    uid,
    addresses: [...new Set([...clusterAddresses, ...addresses(external)])],
    clusterAddresses,
    ...(spec.at('clusterIP').value === 'None' && { headless: true as const }),
    ...externalNameOf(spec),
    ...(spec.at('externalTrafficPolicy').value === 'Local' && { localOnly: true as const }),
    ...(namespace === 'kube-system' && labels(meta.labels)['k8s-app'] === 'kube-dns' && { clusterDns: true as const }),
    ...(Object.keys(selector).length > 0 && { selector }),
    ports: spec
      .at('ports')
      .items()
      .flatMap((port) => servicePort(port) ?? []),
  };
}

/** In lower case without a final dot. */
function externalNameOf(spec: Field): { externalName?: string } {
  if (spec.at('type').value !== 'ExternalName') return {};
  return { externalName: (spec.at('externalName').text() ?? '').toLowerCase().replace(/\.$/, '') };
}

function servicePort(field: Field): ServicePort | undefined {
  const number = field.at('port');
  if (!number.given) number.fault(missingField('port'));
  const port = portNumber(number, 'port');
  // The API server writes 0 if there is no node port.
  const nodePort = field.at('nodePort').value === 0 ? 0 : (portNumber(field.at('nodePort'), 'nodePort') ?? 0);
  const read = { name: field.at('name').text() ?? '', protocol: protocol(field.at('protocol')), nodePort };
  const target = targetPort(field.at('targetPort'));
  return port === undefined ? undefined : { ...read, port, ...(target !== undefined && { targetPort: target }) };
}

/** Undefined, as for 0 and an empty string, means the port itself. */
function targetPort(field: Field): number | string | undefined {
  if (field.value === 0 || field.value === '') return undefined;
  return typeof field.value === 'string' ? portName(field) : portNumber(field, 'targetPort');
}
