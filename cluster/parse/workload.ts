// What makes pods, by its pod template: Deployment, StatefulSet, …, and every other kind that has one where these do.
import type { Workload, WorkloadRef } from '../../model/kubernetes.ts';
import type { Field } from './field.ts';
import type { Metadata } from './metadata.ts';
import { containerPorts, labels } from './values.ts';

/** One that an owner of a kind of `makers` made stands for that owner: pods are shown as the owner's. */
export function workload(field: Field, meta: Metadata, kind: string, makers: readonly string[] = []): Workload {
  const { name, namespace, uid } = meta;
  const own = field.at('spec');
  const owner = ownerAmong(makers, meta.field.at('ownerReferences'));
  // A CronJob's template is that of the Jobs it makes.
  const template = (own.at('jobTemplate').given ? own.at('jobTemplate').at('spec') : own).at('template');
  return {
    kind: 'Workload',
    name,
    namespace,
    uid,
    workload: owner ?? { kind, name },
    ...(owner && { owned: { kind, retired: isRetired(field) } }),
    labels: labels(template.at('metadata').at('labels')),
    hostNetwork: template.at('spec').at('hostNetwork').flag() ?? false,
    ports: containerPorts(template.at('spec')),
  };
}

function ownerAmong(makers: readonly string[], references: Field): WorkloadRef | undefined {
  for (const reference of references.items()) {
    const maker = makers.find((kind) => kind === reference.at('kind').value);
    const name = maker === undefined ? undefined : reference.at('name').text();
    if (maker !== undefined && name) return { kind: maker, name };
  }
  return undefined;
}

/** A ReplicaSet of an older revision, or a Job that is done. */
function isRetired(field: Field): boolean {
  return field.at('spec').at('replicas').value === 0 || field.at('status').at('completionTime').given;
}

/** Whether an object of a kind that nobody told us of makes pods: a template with containers, as a Rollout has it. */
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
