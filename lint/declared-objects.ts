// The objects of the manifests, with lookups for the lint rules. The labels of a namespace without a manifest are not
// known, so a selector may match it.
import type { CustomResource } from '../model/custom-resource.ts';
import type { FieldPath } from '../model/field-path.ts';
import type {
  ClusterObject,
  ContainerPort,
  LabelSelector,
  Labels,
  Namespace,
  Node,
  Pod,
  Policy,
  Service,
  UnreadDocument,
  Workload,
} from '../model/kubernetes.ts';
import { hasEnded, isPolicy, isRecognised, isUnread, templatePods } from '../model/kubernetes.ts';
import { isWhole } from '../model/label-value.ts';
import type { RecognisedPolicy } from '../model/recognised-policy.ts';
import { maySelectNamespace } from '../policy/selector-sets.ts';
import { labelSelectorOf, type PodMatch, selects, selectsPod } from '../policy/selectors.ts';
import { maySelectOperatorPods } from './operator-pods.ts';
import { isValid, type PodScope, type RuleView, rulesOf, type ValidPolicy } from './rule-view.ts';

/** Reads the fields of an object's manifest; undefined for a missing field. */
export type ManifestFields = { value(path: FieldPath): unknown };

/** A pod or a pod template. Pods without a difference that policies can see are one declaration. */
export type PodDeclaration = {
  object: Pod | Workload;
  namespace: string;
  labels: Labels;
  hostNetwork: boolean;
  ports: readonly ContainerPort[];
};

export class DeclaredObjects {
  readonly policies: readonly Policy[];
  readonly validPolicies: readonly ValidPolicy[];
  /** Policies of other APIs, whose rules are not evaluated. */
  readonly recognised: readonly RecognisedPolicy[];
  readonly rules: readonly RuleView[];
  readonly nodes: readonly Node[];
  readonly services: readonly Service[];
  readonly namespaces: ReadonlyMap<string, Namespace>;
  readonly pods: readonly PodDeclaration[];
  readonly #unread: readonly UnreadDocument[];
  readonly #manifestFields: (object: ClusterObject) => ManifestFields | undefined;
  readonly #customResources: readonly CustomResource[];
  readonly #podsByNamespace: ReadonlyMap<string, readonly PodDeclaration[]>;
  /** By `key=value`, in the order of `pods`; by `key=?` if the value is not known. */
  readonly #podsByLabel: ReadonlyMap<string, readonly PodDeclaration[]>;
  readonly #namespacesBySelector = new Map<string, ReadonlySet<string>>();

  /**
   * `manifestFields` is for objects that come from manifests: only a manifest shows which fields are missing.
   * `customResources`: further objects, whose operators may create pods.
   */
  constructor(
    objects: readonly ClusterObject[],
    manifestFields: (object: ClusterObject) => ManifestFields | undefined = () => undefined,
    customResources: readonly CustomResource[] = [],
  ) {
    this.#customResources = customResources;
    this.#unread = objects.filter(isUnread);
    this.policies = objects
      .filter(isPolicy)
      .filter((policy) => !isUnread(policy))
      .sort(byName);
    this.validPolicies = this.policies.filter(isValid);
    this.recognised = objects.filter(isRecognised).sort(byName);
    this.rules = this.validPolicies.flatMap(rulesOf);
    this.nodes = objects.filter((object) => object.kind === 'Node');
    this.services = objects.filter((object) => object.kind === 'Service').sort(byName);
    const namespaces = objects.filter((object) => object.kind === 'Namespace');
    this.namespaces = new Map(namespaces.map((namespace) => [namespace.name, namespace]));
    this.pods = podDeclarationsOf(objects);
    this.#podsByNamespace = Map.groupBy(this.pods, ({ namespace }) => namespace);
    this.#podsByLabel = groupByLabel(this.pods);
    this.#manifestFields = manifestFields;
  }

  manifestFields(object: ClusterObject): ManifestFields | undefined {
    return this.#manifestFields(object);
  }

  /** Whether a document that cannot be read may define an object of the namespace; undefined: of any namespace. */
  mayHaveMore(namespace: string | undefined): boolean {
    return this.#unread.some(
      ({ subject }) =>
        namespace === undefined || subject === undefined || maySelectNamespace(subject.namespaceSelector, namespace),
    );
  }

  /** The pods in the scope, without host-network pods, which no policy selects (rule 13). */
  selectablePods(scope: PodScope): PodDeclaration[] {
    return this.podsInScope(scope).filter(({ hostNetwork }) => !hostNetwork);
  }

  /** With the pods that it may select, because the value of a label is not known. */
  podsInScope({ namespace, namespaceSelector, podSelector }: PodScope): PodDeclaration[] {
    const candidates =
      namespace === undefined ? this.#candidatesFor(podSelector) : (this.#podsByNamespace.get(namespace) ?? []);
    const namespaces = namespace === undefined ? this.#namespacesSelected(namespaceSelector) : undefined;
    return candidates.filter(
      (pod) => (namespaces?.has(pod.namespace) ?? true) && selectsPod(podSelector, pod.labels) !== 'no',
    );
  }

  /** Whether connections to the Service go to the pod. */
  isBehind(pod: PodDeclaration, { namespace, selector }: Service): PodMatch {
    if (namespace !== pod.namespace || selector === undefined) return 'no';
    return selectsPod(labelSelectorOf(selector), pod.labels);
  }

  /** Whether it may be meant for pods that an operator creates, and that no manifest shows. */
  maySelectOperatorPods(scope: PodScope): boolean {
    return maySelectOperatorPods(scope, this.#customResources);
  }

  /** A small list that contains all pods that the selector may select. */
  #candidatesFor(selector: LabelSelector): readonly PodDeclaration[] {
    const one = selector.find(({ operator, values }) => operator === 'In' && values.length === 1);
    if (one === undefined) return this.pods;
    const withValue = this.#podsByLabel.get(`${one.key}=${one.values[0]}`) ?? [];
    const withoutValue = this.#podsByLabel.get(`${one.key}=?`);
    return withoutValue === undefined ? withValue : [...withValue, ...withoutValue];
  }

  #namespacesSelected(selector: LabelSelector): ReadonlySet<string> {
    const key = JSON.stringify(selector);
    const cached = this.#namespacesBySelector.get(key);
    if (cached !== undefined) return cached;
    const names = [...this.#podsByNamespace.keys()].filter((name) => {
      const namespace = this.namespaces.get(name);
      return namespace === undefined ? maySelectNamespace(selector, name) : selects(selector, namespace.labels);
    });
    const selected = new Set(names);
    this.#namespacesBySelector.set(key, selected);
    return selected;
  }
}

/** Skips pods that have ended. */
function podDeclarationsOf(objects: readonly ClusterObject[]): PodDeclaration[] {
  const distinct = new Map<string, PodDeclaration>();
  for (const object of objects) {
    if (object.kind !== 'Pod' && object.kind !== 'Workload') continue;
    if (object.kind === 'Pod' && hasEnded(object)) continue;
    const { namespace, hostNetwork, ports } = object;
    for (const { labels } of object.kind === 'Pod' ? [object] : templatePods(object)) {
      const key = JSON.stringify([namespace, Object.entries(labels).sort(), hostNetwork, ports]);
      if (!distinct.has(key)) distinct.set(key, { object, namespace, labels, hostNetwork, ports });
    }
  }
  return [...distinct.values()].sort((a, b) => byName(a.object, b.object));
}

function groupByLabel(pods: readonly PodDeclaration[]): Map<string, PodDeclaration[]> {
  const podsOfLabel = new Map<string, PodDeclaration[]>();
  for (const pod of pods) {
    for (const [key, value] of Object.entries(pod.labels)) {
      const label = `${key}=${isWhole(value) ? value : '?'}`;
      const list = podsOfLabel.get(label);
      if (list === undefined) podsOfLabel.set(label, [pod]);
      else list.push(pod);
    }
  }
  return podsOfLabel;
}

function byName(a: ClusterObject, b: ClusterObject): number {
  return compare(a.namespace, b.namespace) || compare(a.kind, b.kind) || compare(a.name, b.name);
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
