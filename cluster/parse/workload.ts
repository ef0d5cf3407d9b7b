// What makes pods, by its pod template: Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob.
import type { Workload } from '../../model/kubernetes.ts';
import type { Field } from './field.ts';
import type { Metadata } from './metadata.ts';
import { containerPorts, labels } from './values.ts';

export function workload(field: Field, meta: Metadata, kind: string): Workload {
  const { name, namespace, uid } = meta;
  const spec = kind === 'CronJob' ? field.at('spec').at('jobTemplate').at('spec') : field.at('spec');
  const template = spec.at('template');
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
