// Recognises an object of a CustomResourceDefinition by its API group.
import type { CustomResource } from '../../model/custom-resource.ts';
import type { Labels } from '../../model/kubernetes.ts';
import { Field } from './field.ts';
import { groupOf, kindText } from './kind.ts';
import { isName } from './metadata.ts';
import { labels } from './values.ts';

/** The API groups of Kubernetes itself. Their objects create no pods, except the workloads that are read. */
const builtInGroups: ReadonlySet<string> = new Set([
  '',
  'apps',
  'autoscaling',
  'batch',
  'extensions',
  'policy',
  ...['admissionregistration', 'apiextensions', 'apiregistration', 'authentication', 'authorization'].map(ofK8s),
  ...['certificates', 'coordination', 'discovery', 'events', 'flowcontrol.apiserver', 'internal.apiserver'].map(ofK8s),
  ...['metrics', 'networking', 'node', 'policy.networking', 'rbac.authorization', 'resource'].map(ofK8s),
  ...['scheduling', 'storage', 'storagemigration'].map(ofK8s),
]);

function ofK8s(group: string): string {
  return `${group}.k8s.io`;
}

/** Undefined for any other object. */
export function customResourceOf(raw: unknown): CustomResource | undefined {
  if (kindText(raw) === undefined) return undefined;
  const { apiVersion, metadata } = raw as { apiVersion: unknown; metadata?: unknown };
  const group = groupOf(apiVersion);
  if (builtInGroups.has(group) || typeof metadata !== 'object' || metadata === null) return undefined;
  const { name, namespace } = metadata as { name?: unknown; namespace?: unknown };
  if (typeof name !== 'string' || !isName(name)) return undefined;
  const podLabels = podLabelsOf(raw, group);
  return { group, name, namespace: typeof namespace === 'string' ? namespace : '', ...(podLabels && { podLabels }) };
}

/** A template without containers may be one of pods too, as in a VirtualMachine of KubeVirt. */
function podLabelsOf(raw: unknown, group: string): Labels | undefined {
  const object = new Field(raw, []);
  const isInstance = group === 'kubevirt.io' && object.at('kind').value === 'VirtualMachineInstance';
  const spec = object.at('spec');
  const pool = spec.at('virtualMachineTemplate');
  const template = (pool.given ? pool.at('spec') : spec).at('template');
  const field = (isInstance ? object : template).at('metadata').at('labels');
  return field.given ? labels(field) : undefined;
}
