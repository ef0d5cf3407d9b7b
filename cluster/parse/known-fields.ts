// Which fields an object has. kubectl and the API server refuse a manifest with any other field. Policies have few fields, so
// any other one is a fault. Other kinds have many, so only a field with nearly the name of a field that Waybill reads is one.
import { unknownField } from './errors.ts';
import type { Field } from './field.ts';

/** False if a policy has another field at its top level. Its content may be meant for `spec`. */
export function hasOnlyObjectFields(object: Field): boolean {
  const before = object.faultCount;
  object.only('apiVersion', 'kind', 'metadata', 'spec', 'status');
  return object.faultCount === before;
}

const metadataFields = ['name', 'generateName', 'namespace', 'labels', 'annotations', 'ownerReferences', 'finalizers'];

/** Set by the API server. The last two were removed from Kubernetes, and old manifests still have them. */
const serverMetadataFields: ReadonlySet<string> = new Set([
  ...['uid', 'selfLink', 'resourceVersion', 'generation', 'creationTimestamp', 'deletionTimestamp'],
  ...['deletionGracePeriodSeconds', 'managedFields', 'clusterName', 'initializers'],
]);

/** For the metadata of a policy. */
export function checkMetadataFields(metadata: Field): void {
  for (const [name, field] of metadata.entries()) {
    if (!metadataFields.includes(name) && !serverMetadataFields.has(name)) {
      field.fault(unknownField(name, metadataFields));
    }
  }
}

/** Whether a field of the metadata is nearly `namespace`, and `namespace` is missing. */
export function hasMisspelledNamespace(metadata: Field): boolean {
  if (metadata.at('namespace').given) return false;
  return metadata.entries().some(([name]) => isNearly(name, 'namespace'));
}

/** The fields that are read of an object or of a part of it: the name of each, with the fields that are read of it. */
type ReadFields = { readonly [name: string]: ReadFields };

const containerPorts: ReadFields = { ports: fieldsOf('name', 'containerPort', 'hostPort', 'hostIP', 'protocol') };
const objectMeta = {
  metadata: fieldsOf('name', 'generateName', 'namespace', 'labels', 'annotations', 'ownerReferences'),
};
const podSpec = {
  spec: {
    ...fieldsOf('nodeName', 'hostNetwork'),
    containers: containerPorts,
    initContainers: { ...containerPorts, ...fieldsOf('restartPolicy') },
  },
};
const template: ReadFields = { template: { ...objectMeta, ...podSpec } };
const servicePorts = fieldsOf('name', 'port', 'targetPort', 'nodePort', 'protocol');
const serviceFields = ['clusterIP', 'clusterIPs', 'externalIPs', 'selector', 'type', 'externalName'];

const readFields: { readonly [kind: string]: ReadFields } = {
  Pod: { ...objectMeta, ...podSpec },
  Namespace: objectMeta,
  Node: { ...objectMeta, spec: fieldsOf('podCIDR', 'podCIDRs') },
  Service: {
    ...objectMeta,
    spec: { ...fieldsOf(...serviceFields, 'externalTrafficPolicy'), ports: servicePorts },
  },
  CronJob: { ...objectMeta, spec: { jobTemplate: { spec: template } } },
};

const workloadFields: ReadFields = { ...objectMeta, spec: template };

/**
 * A field with nearly the name of a field that is read, such as `label` or `hostnetwork`, is a fault. An object of another
 * API may have any fields beside its metadata and pod template.
 */
export function checkNearlyNamedFields(object: Field, kind: string, group: string, isForeign: boolean): void {
  if (isForeign) {
    checkFields(object.at('metadata'), objectMeta.metadata);
    const spec = object.at('spec');
    if (isMap(spec.value)) checkFields(spec.at('template'), template.template!);
    return;
  }
  const hasTemplate = group === 'apps' || group === 'batch' || kind === 'ReplicationController';
  checkFields(object, readFields[kind] ?? (hasTemplate ? workloadFields : objectMeta));
}

/** A value of the wrong type is a fault of the parser that reads it. */
function checkFields(field: Field, read: ReadFields): void {
  if (Array.isArray(field.value)) {
    for (const item of field.items()) checkFields(item, read);
    return;
  }
  if (!isMap(field.value)) return;
  const names = Object.keys(read);
  for (const [name, inner] of field.entries()) {
    if (Object.hasOwn(read, name)) checkFields(inner, read[name]!);
    else {
      const meant = names.find((one) => isNearly(name, one));
      if (meant !== undefined) inner.fault(unknownField(name, [meant]));
    }
  }
}

/** Equal without case, or one character added, missing, replaced or swapped with the next one. */
function isNearly(name: string, known: string): boolean {
  if (Math.abs(name.length - known.length) > 1 || name === known) return false;
  const [one, other] = [name.toLowerCase(), known.toLowerCase()];
  let start = 0;
  while (start < one.length && one[start] === other[start]) start += 1;
  const rest = (text: string, skipped: number) => text.slice(start + skipped);
  return (
    rest(one, 1) === rest(other, 1) ||
    rest(one, 1) === rest(other, 0) ||
    rest(one, 0) === rest(other, 1) ||
    (one[start] === other[start + 1] && one[start + 1] === other[start] && rest(one, 2) === rest(other, 2))
  );
}

function isMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fieldsOf(...names: readonly string[]): ReadFields {
  return Object.fromEntries(names.map((name) => [name, {}]));
}
