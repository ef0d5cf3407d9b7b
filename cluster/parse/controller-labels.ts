// The labels that controllers add to the pods of a workload, and the pods that these labels distinguish. Sources: the
// well-known labels of the Kubernetes reference, and the controllers of OpenShift, Argo Rollouts, OpenKruise and Knative.
import type { Labels, TemplatePod } from '../../model/kubernetes.ts';
import { valueFrom } from '../../model/label-value.ts';
import type { Field } from './field.ts';

/** `name` may be the beginning of a generated name, as a label value. `kind` has the API group, as in `Job.batch`. */
export type ControlledObject = { kind: string; name: string; spec: Field };

/** `labels`: of every pod. `pods`: pods with different labels; missing if all are equal, or their number is not known. */
export type ControllerLabels = { labels: Labels; pods?: readonly TemplatePod[] };

/** Larger workloads have one pod with values that are not known. */
const maxTemplatePods = 1000;

const notKnown = valueFrom('');

export function controllerLabels(object: ControlledObject): ControllerLabels {
  return Object.hasOwn(labelsByKind, object.kind) ? labelsByKind[object.kind]!(object) : { labels: {} };
}

export const daemonSetLabels: Labels = { 'controller-revision-hash': notKnown, 'pod-template-generation': notKnown };

const labelsByKind: Readonly<Record<string, (object: ControlledObject) => ControllerLabels>> = {
  'Deployment.apps': () => ({ labels: { 'pod-template-hash': notKnown } }),
  'StatefulSet.apps': ({ name, spec }) => statefulSetLabels(name, spec),
  'StatefulSet.apps.kruise.io': ({ name, spec }) => statefulSetLabels(name, spec),
  'DaemonSet.apps': () => ({ labels: daemonSetLabels }),
  'DaemonSet.apps.kruise.io': () => ({ labels: daemonSetLabels }),
  'Job.batch': ({ name, spec }) => jobLabels(name, spec, `Job/${name}`),
  // The controller names a Job by its time.
  'CronJob.batch': ({ name, spec }) =>
    jobLabels(valueFrom(`${name}-`), spec.at('jobTemplate').at('spec'), `CronJob/${name}`),
  'Rollout.argoproj.io': () => ({ labels: { 'rollouts-pod-template-hash': notKnown } }),
  'CloneSet.apps.kruise.io': () => ({
    labels: {
      'apps.kruise.io/cloneset-instance-id': notKnown,
      'controller-revision-hash': notKnown,
      'pod-template-hash': notKnown,
    },
  }),
  'DeploymentConfig.apps.openshift.io': ({ name }) => ({
    labels: { deploymentconfig: name, deployment: valueFrom(`${name}-`) },
  }),
  'Service.serving.knative.dev': ({ name }) => ({ labels: knativeLabels(name) }),
};

/** With their groups. */
export const controlledKinds: readonly string[] = Object.keys(labelsByKind);

/** The labels of `Deployment` and `Rollout`, by the hash that a ReplicaSet has in its own template. */
export function replicaSetLabels(ownerKind: string): Labels {
  return { [ownerKind === 'Rollout' ? 'rollouts-pod-template-hash' : 'pod-template-hash']: notKnown };
}

/** `spec.ordinals.start` is the index of the first pod. OpenKruise leaves out the indexes in `spec.reserveOrdinals`. */
export function statefulSetLabels(name: string, spec: Field): ControllerLabels {
  const first = wholeOf(spec.at('ordinals').at('start'), 0);
  const reserved = spec.at('reserveOrdinals').value;
  const isKnown = reserved === undefined || (Array.isArray(reserved) && reserved.every(Number.isInteger));
  const left = new Set<unknown>(isKnown ? (reserved as number[] | undefined) : undefined);
  let index = first - 1;
  const pods = numbered(isKnown ? wholeOf(spec.at('replicas'), 1) : 0, () => {
    do index += 1;
    while (left.has(index));
    const podName = `${name}-${index}`;
    return { name: podName, labels: { [podNameLabel]: podName, [podIndexLabel]: `${index}` } };
  });
  const labels = { 'controller-revision-hash': valueFrom(`${name}-`) };
  if (pods === undefined) {
    return { labels: { ...labels, [podNameLabel]: valueFrom(`${name}-`), [podIndexLabel]: notKnown } };
  }
  return { labels, pods };
}

const podNameLabel = 'statefulset.kubernetes.io/pod-name';
const podIndexLabel = 'apps.kubernetes.io/pod-index';

/** With `manualSelector`, the API server adds no labels. */
function jobLabels(name: string, spec: Field, title: string): ControllerLabels {
  const labels: Labels =
    spec.at('manualSelector').value === true
      ? {}
      : {
          'job-name': name,
          'batch.kubernetes.io/job-name': name,
          'controller-uid': notKnown,
          'batch.kubernetes.io/controller-uid': notKnown,
        };
  if (spec.at('completionMode').value !== 'Indexed') return { labels };
  const pods = numbered(wholeOf(spec.at('completions'), 0), (at) => {
    return { name: `${title} index ${at}`, labels: { [completionIndexLabel]: `${at}` } };
  });
  return pods === undefined ? { labels: { ...labels, [completionIndexLabel]: notKnown } } : { labels, pods };
}

const completionIndexLabel = 'batch.kubernetes.io/job-completion-index';

/** Knative names its revisions by a number, and gives the pods the label `app` unless the template has one. */
function knativeLabels(name: string): Labels {
  const revision = valueFrom(`${name}-`);
  return {
    'serving.knative.dev/service': name,
    'serving.knative.dev/configuration': name,
    'serving.knative.dev/configurationGeneration': notKnown,
    'serving.knative.dev/revision': revision,
    'serving.knative.dev/serviceUID': notKnown,
    'serving.knative.dev/configurationUID': notKnown,
    'serving.knative.dev/revisionUID': notKnown,
    'pod-template-hash': notKnown,
    app: revision,
  };
}

/** Undefined for none, since they may be scaled up, and for too many. */
function numbered(count: number, podAt: (at: number) => TemplatePod): TemplatePod[] | undefined {
  if (count === 0 || count > maxTemplatePods) return undefined;
  return Array.from({ length: count }, (_, at) => podAt(at));
}

function wholeOf({ value }: Field, otherwise: number): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : otherwise;
}
