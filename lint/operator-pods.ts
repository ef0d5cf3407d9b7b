// Whether a selector may be meant for pods that the operator of a custom resource creates. Such pods are in no manifest.
import type { CustomResource } from '../model/custom-resource.ts';
import type { LabelSelector, Labels } from '../model/kubernetes.ts';
import { selectsWithPartialLabels } from '../policy/selectors.ts';
import type { PodScope } from './rule-view.ts';

/** The label that operators and charts give the name of the resource. */
const instanceLabel = 'app.kubernetes.io/instance';

export function maySelectOperatorPods(
  { namespace, podSelector }: PodScope,
  customResources: readonly CustomResource[],
): boolean {
  return customResources.some((resource) => {
    const isInScope = namespace === undefined || resource.namespace === '' || resource.namespace === namespace;
    return isInScope && mayBeOf(resource, podSelector);
  });
}

/** An operator labels its pods with keys of its own domain, or with the name of the resource as the instance. */
function mayBeOf({ group, name, podLabels }: CustomResource, selector: LabelSelector): boolean {
  if (podLabels !== undefined && requiresLabelOf(selector, podLabels)) return true;
  return selector.some(({ key, operator, values }) => {
    if (operator === 'NotIn' || operator === 'DoesNotExist') return false;
    if (key === instanceLabel) return values.includes(name);
    const domain = key.includes('/') ? key.slice(0, key.indexOf('/')) : '';
    return domain !== '' && registeredDomain(domain) === registeredDomain(group);
  });
}

/** Whether the selector may select pods with these labels, and requires one of them. */
function requiresLabelOf(selector: LabelSelector, labels: Labels): boolean {
  if (selectsWithPartialLabels(selector, labels) === 'no') return false;
  return selector.some(({ key, operator }) => Object.hasOwn(labels, key) && operator !== 'NotIn');
}

/**
 * `strimzi.io` of `kafka.strimzi.io`: the operator's label keys and API groups share it. Projects of Kubernetes share one
 * domain: of `jobset.x-k8s.io` and `jobset.sigs.k8s.io`, the first part is the project.
 */
function registeredDomain(domain: string): string {
  const parts = domain.split('.');
  return /(^|[.-])k8s\.io$/.test(domain) ? `${parts[0]}.k8s.io` : parts.slice(-2).join('.');
}
