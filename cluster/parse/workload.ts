// A workload, known by its pod template: Deployment, StatefulSet, …, and any other kind with a pod template in the same place.
import type { Labels, TemplatePod, Workload, WorkloadRef } from '../../model/kubernetes.ts';
import { valueFrom } from '../../model/label-value.ts';
import { type ControllerLabels, controllerLabels, replicaSetLabels } from './controller-labels.ts';
import type { Field } from './field.ts';
import type { Metadata } from './metadata.ts';
import { containerPorts, labels } from './values.ts';

/** If one of `ownerKinds` owns it, it represents its owner, since pods are shown as the owner's. */
export function workload(
  field: Field,
  meta: Metadata,
  kind: string,
  group: string,
  ownerKinds: readonly string[] = [],
): Workload {
  const { name, namespace, uid } = meta;
  const spec = field.at('spec');
  const owner = ownerOfKind(ownerKinds, meta.field.at('ownerReferences'));
  // A CronJob has the template of its Jobs.
  const template = (spec.at('jobTemplate').given ? spec.at('jobTemplate').at('spec') : spec).at('template');
  const added =
    kind === 'ReplicaSet' && owner !== undefined
      ? { labels: replicaSetLabels(owner.kind) }
      : controllerLabels({ kind: `${kind}.${group}`, name: labelNameOf(meta), spec });
  return {
    kind: 'Workload',
    name,
    namespace,
    uid,
    workload: owner ?? { kind, name },
    ...(owner && { owned: { kind, retired: isRetired(field) } }),
    ...withControllerLabels(labels(template.at('metadata').at('labels')), added),
    hostNetwork: template.at('spec').at('hostNetwork').flag() ?? false,
    ports: containerPorts(template.at('spec')),
  };
}

/** A label that the manifest has too keeps its value there, except where the controller makes it each pod's own. */
export function withControllerLabels(
  written: Labels,
  { labels: added, pods }: ControllerLabels,
): { labels: Labels; pods?: readonly TemplatePod[] } {
  const common = merged(added, written);
  if (pods === undefined) return { labels: common };
  return { labels: common, pods: pods.map((pod) => ({ name: pod.name, labels: merged(common, pod.labels) })) };
}

/** The result has no prototype, so a key such as `constructor` finds only a label. */
function merged(...parts: readonly Labels[]): Labels {
  return Object.assign(Object.create(null), ...parts);
}

/** The name as a label value: the API server adds to a name from `generateName`. */
function labelNameOf({ name, field }: Metadata): string {
  return field.at('name').given ? name : valueFrom(name);
}

function ownerOfKind(ownerKinds: readonly string[], references: Field): WorkloadRef | undefined {
  for (const reference of references.items()) {
    const kind = ownerKinds.find((one) => one === reference.at('kind').value);
    const name = kind === undefined ? undefined : reference.at('name').text();
    if (kind !== undefined && name) return { kind, name };
  }
  return undefined;
}

/** A ReplicaSet of an older revision, or a completed Job. */
function isRetired(field: Field): boolean {
  return field.at('spec').at('replicas').value === 0 || field.at('status').at('completionTime').given;
}

/** Whether an object of an unknown kind creates pods: its template has containers, as in a Rollout. */
export function hasPodTemplate(object: unknown): boolean {
  const spec = part(object, 'spec');
  return [spec, part(part(spec, 'jobTemplate'), 'spec')].some((one) =>
    Array.isArray(part(part(part(one, 'template'), 'spec'), 'containers')),
  );
}

function part(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
