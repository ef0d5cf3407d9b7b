// All that the manifests declare, as the rules of lint ask for it. What they do not hold (a namespace that is only named)
// counts as what may be.
import type {
  ClusterObject,
  ContainerPort,
  LabelSelector,
  Labels,
  Namespace,
  Node,
  Pod,
  Policy,
  Workload,
} from '../model/kubernetes.ts';
import { isPolicy } from '../model/kubernetes.ts';
import { selects } from '../policy/selectors.ts';
import { isValid, type Path, type PodScope, type RuleView, rulesOf, type ValidPolicy } from './rule-view.ts';
import { maySelectNamespace } from './selectors.ts';

/** What stands in an object's manifest; undefined where a field was left out. */
export type ManifestFields = { value(path: Path): unknown };

/** A pod or a pod template; several that policies cannot tell apart are one. */
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
  readonly rules: readonly RuleView[];
  readonly nodes: readonly Node[];
  readonly namespaces: ReadonlyMap<string, Namespace>;
  readonly pods: readonly PodDeclaration[];
  readonly #manifestFields: (object: ClusterObject) => ManifestFields | undefined;
  readonly #podsByNamespace: ReadonlyMap<string, readonly PodDeclaration[]>;
  /** By `key=value`, in the order of `pods`. */
  readonly #podsByLabel: ReadonlyMap<string, readonly PodDeclaration[]>;
  readonly #namespacesBySelector = new Map<string, ReadonlySet<string>>();

  /** `written` where the objects come from manifests; what was left out is not known otherwise. */
  constructor(
    objects: readonly ClusterObject[],
    manifestFields: (object: ClusterObject) => ManifestFields | undefined = () => undefined,
  ) {
    this.policies = objects.filter(isPolicy).sort(byName);
    this.validPolicies = this.policies.filter(isValid);
    this.rules = this.validPolicies.flatMap(rulesOf);
    this.nodes = objects.filter((object) => object.kind === 'Node');
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

  /** Those that may be meant, less host-network pods, which no policy selects (rule 13). */
  selectablePods(scope: PodScope): PodDeclaration[] {
    return this.podsInScope(scope).filter(({ hostNetwork }) => !hostNetwork);
  }

  podsInScope({ namespace, namespaceSelector, podSelector }: PodScope): PodDeclaration[] {
    const candidates =
      namespace === undefined ? this.#candidatesFor(podSelector) : (this.#podsByNamespace.get(namespace) ?? []);
    const namespaces = namespace === undefined ? this.#namespacesSelected(namespaceSelector) : undefined;
    return candidates.filter((pod) => (namespaces?.has(pod.namespace) ?? true) && selects(podSelector, pod.labels));
  }

  /** Few that hold all that it may select. */
  #candidatesFor(selector: LabelSelector): readonly PodDeclaration[] {
    const one = selector.find(({ operator, values }) => operator === 'In' && values.length === 1);
    return one === undefined ? this.pods : (this.#podsByLabel.get(`${one.key}=${one.values[0]}`) ?? []);
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

/** Pods that have ended are nobody's any more. */
function podDeclarationsOf(objects: readonly ClusterObject[]): PodDeclaration[] {
  const distinct = new Map<string, PodDeclaration>();
  for (const object of objects) {
    if (object.kind !== 'Pod' && object.kind !== 'Workload') continue;
    if (object.kind === 'Pod' && object.endedUs > 0) continue;
    const { namespace, labels, hostNetwork, ports } = object;
    const key = JSON.stringify([namespace, Object.entries(labels).sort(), hostNetwork, ports]);
    if (!distinct.has(key)) distinct.set(key, { object, namespace, labels, hostNetwork, ports });
  }
  return [...distinct.values()].sort((a, b) => byName(a.object, b.object));
}

function groupByLabel(pods: readonly PodDeclaration[]): Map<string, PodDeclaration[]> {
  const podsOfLabel = new Map<string, PodDeclaration[]>();
  for (const pod of pods) {
    for (const [key, value] of Object.entries(pod.labels)) {
      const list = podsOfLabel.get(`${key}=${value}`);
      if (list === undefined) podsOfLabel.set(`${key}=${value}`, [pod]);
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
