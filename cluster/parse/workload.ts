// What makes pods, by its pod template: Deployment, StatefulSet, …, and every other kind that has one where these do.
import type { Workload } from '../../model/kubernetes.ts';
import type { Field } from './field.ts';
import type { Metadata } from './metadata.ts';
import { containerPorts, labels } from './values.ts';

export function workload(field: Field, meta: Metadata, kind: string): Workload {
  const { name, namespace, uid } = meta;
  const own = field.at('spec');
  // A CronJob's template is that of the Jobs it makes.
  const template = (own.at('jobTemplate').given ? own.at('jobTemplate').at('spec') : own).at('template');
  return {
    kind: 'Workload',
    name,
    namespace,
    uid,
    workload: { kind, name },
    labels: labels(template.at('metadata').at('labels')),
    hostNetwork: template.at('spec').at('hostNetwork').flag() ?? false,
    ports: containerPorts(template.at('spec')),
  };
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
