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
import { isSound, type Path, type PodsMeant, type RuleView, rulesOf, type SoundPolicy } from './rule-view.ts';
import { maySelectNamed } from './selectors.ts';

/** What stands in an object's manifest; undefined where a field was left out. */
export type Written = { value(path: Path): unknown };

/** A pod or a pod template; several that policies cannot tell apart are one. */
export type Declaration = {
  object: Pod | Workload;
  namespace: string;
  labels: Labels;
  hostNetwork: boolean;
  ports: readonly ContainerPort[];
};

export class Declared {
  readonly policies: readonly Policy[];
  readonly sound: readonly SoundPolicy[];
  readonly rules: readonly RuleView[];
  readonly nodes: readonly Node[];
  readonly namespaces: ReadonlyMap<string, Namespace>;
  readonly pods: readonly Declaration[];
  readonly #written: (object: ClusterObject) => Written | undefined;
  readonly #inNamespace: ReadonlyMap<string, readonly Declaration[]>;
  /** By `key=value`, in the order of `pods`. */
  readonly #labelled: ReadonlyMap<string, readonly Declaration[]>;
  readonly #selected = new Map<string, ReadonlySet<string>>();

  /** `written` where the objects come from manifests; what was left out is not known otherwise. */
  constructor(
    objects: readonly ClusterObject[],
    written: (object: ClusterObject) => Written | undefined = () => undefined,
  ) {
    this.policies = objects.filter(isPolicy).sort(byName);
    this.sound = this.policies.filter(isSound);
    this.rules = this.sound.flatMap(rulesOf);
    this.nodes = objects.filter((object) => object.kind === 'Node');
    const namespaces = objects.filter((object) => object.kind === 'Namespace');
    this.namespaces = new Map(namespaces.map((namespace) => [namespace.name, namespace]));
    this.pods = declarationsOf(objects);
    this.#inNamespace = Map.groupBy(this.pods, ({ namespace }) => namespace);
    this.#labelled = byLabel(this.pods);
    this.#written = written;
  }

  written(object: ClusterObject): Written | undefined {
    return this.#written(object);
  }

  /** Those that may be meant, less host-network pods, which no policy selects (rule 13). */
  podsMeant(meant: PodsMeant): Declaration[] {
    return this.allMeant(meant).filter(({ hostNetwork }) => !hostNetwork);
  }

  allMeant({ namespace, namespaceSelector, podSelector }: PodsMeant): Declaration[] {
    const some = namespace === undefined ? this.#mostOf(podSelector) : (this.#inNamespace.get(namespace) ?? []);
    const namespaces = namespace === undefined ? this.#namespacesMeant(namespaceSelector) : undefined;
    return some.filter((pod) => (namespaces?.has(pod.namespace) ?? true) && selects(podSelector, pod.labels));
  }

  /** Few that hold all that it may select. */
  #mostOf(selector: LabelSelector): readonly Declaration[] {
    const one = selector.find(({ operator, values }) => operator === 'In' && values.length === 1);
    return one === undefined ? this.pods : (this.#labelled.get(`${one.key}=${one.values[0]}`) ?? []);
  }

  #namespacesMeant(selector: LabelSelector): ReadonlySet<string> {
    const key = JSON.stringify(selector);
    const known = this.#selected.get(key);
    if (known !== undefined) return known;
    const names = [...this.#inNamespace.keys()].filter((name) => {
      const namespace = this.namespaces.get(name);
      return namespace === undefined ? maySelectNamed(selector, name) : selects(selector, namespace.labels);
    });
    const found = new Set(names);
    this.#selected.set(key, found);
    return found;
  }
}

/** Pods that have ended are nobody's any more. */
function declarationsOf(objects: readonly ClusterObject[]): Declaration[] {
  const distinct = new Map<string, Declaration>();
  for (const object of objects) {
    if (object.kind !== 'Pod' && object.kind !== 'Workload') continue;
    if (object.kind === 'Pod' && object.endedUs > 0) continue;
    const { namespace, labels, hostNetwork, ports } = object;
    const key = JSON.stringify([namespace, Object.entries(labels).sort(), hostNetwork, ports]);
    if (!distinct.has(key)) distinct.set(key, { object, namespace, labels, hostNetwork, ports });
  }
  return [...distinct.values()].sort((a, b) => byName(a.object, b.object));
}

function byLabel(pods: readonly Declaration[]): Map<string, Declaration[]> {
  const labelled = new Map<string, Declaration[]>();
  for (const pod of pods) {
    for (const [key, value] of Object.entries(pod.labels)) {
      const list = labelled.get(`${key}=${value}`);
      if (list === undefined) labelled.set(`${key}=${value}`, [pod]);
      else list.push(pod);
    }
  }
  return labelled;
}

function byName(a: ClusterObject, b: ClusterObject): number {
  return compare(a.namespace, b.namespace) || compare(a.kind, b.kind) || compare(a.name, b.name);
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
