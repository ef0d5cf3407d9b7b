// The recognised policies of one direction, with fast lookup of those that may select a pod.
import { type Effects, factsOf, type RecognisedPart, type RecognisedPolicy } from '../model/recognised-policy.ts';
import type { Direction, PolicyRef } from '../model/verdict.ts';
import { type SubjectPod, subjectSelects } from './subject.ts';

/** One part of a recognised policy in a direction in which it may have an effect. */
export type RecognisedSide = {
  policy: PolicyRef;
  object: RecognisedPolicy;
  subject: RecognisedPart['subject'];
  effects: Effects;
};

/** Lists are in the order of kind, namespace and name. An unchanged list is the same object in the next layer. */
export type RecognisedLayer = {
  readonly byNamespace: ReadonlyMap<string, readonly RecognisedSide[]>;
  /** Of policies that may select pods of any namespace. */
  readonly everywhere: readonly RecognisedSide[];
};

const none: readonly RecognisedSide[] = [];
export const emptyLayer: RecognisedLayer = { byNamespace: new Map(), everywhere: none };

/** Also after its last policy was removed. */
export function isEmptyLayer({ byNamespace, everywhere }: RecognisedLayer): boolean {
  return everywhere.length === 0 && byNamespace.size === 0;
}

const sidesCache = new WeakMap<RecognisedPolicy, Record<Direction, readonly RecognisedSide[]>>();

function sidesOf(policy: RecognisedPolicy, direction: Direction): readonly RecognisedSide[] {
  let sides = sidesCache.get(policy);
  if (sides === undefined) {
    const { kind, namespace, name } = policy;
    const ref: PolicyRef = { kind, namespace, name };
    const of = (side: Direction) =>
      policy.parts.flatMap(({ subject, [side]: effects }): RecognisedSide[] =>
        effects === undefined ? [] : [{ policy: ref, object: policy, subject, effects }],
      );
    sides = { egress: of('egress'), ingress: of('ingress') };
    sidesCache.set(policy, sides);
  }
  return sides[direction];
}

export function recognisedLayer(policies: readonly RecognisedPolicy[], direction: Direction): RecognisedLayer {
  let layer = emptyLayer;
  const groups = Map.groupBy(policies, (policy) => (policy.everywhere ? undefined : policy.namespace));
  for (const [namespace, group] of groups) {
    layer = withList(layer, namespace, sorted(group.flatMap((policy) => sidesOf(policy, direction))));
  }
  return layer;
}

/** Without the former version of the policy, and with the new one for `put`. The same layer if that changes nothing. */
export function changedLayer(
  layer: RecognisedLayer,
  policy: RecognisedPolicy,
  direction: Direction,
  how: 'put' | 'gone',
): RecognisedLayer {
  const namespace = policy.everywhere ? undefined : policy.namespace;
  const before = (namespace === undefined ? layer.everywhere : layer.byNamespace.get(namespace)) ?? none;
  const others = before.filter(({ object }) => object.kind !== policy.kind || !isNamesake(object, policy));
  const added = how === 'put' ? sidesOf(policy, direction) : none;
  if (others.length === before.length && added.length === 0) return layer;
  return withList(layer, namespace, sorted([...others, ...added]));
}

function withList(
  layer: RecognisedLayer,
  namespace: string | undefined,
  sides: readonly RecognisedSide[],
): RecognisedLayer {
  if (namespace === undefined) return { ...layer, everywhere: sides };
  const byNamespace = new Map(layer.byNamespace);
  if (sides.length === 0) byNamespace.delete(namespace);
  else byNamespace.set(namespace, sides);
  return { ...layer, byNamespace };
}

export function sidesInNamespace(layer: RecognisedLayer, namespace: string): readonly RecognisedSide[] {
  return layer.byNamespace.get(namespace) ?? none;
}

/** Those that select the pod, or may select it. */
export function maySelect(sides: readonly RecognisedSide[], pod: SubjectPod): readonly RecognisedSide[] {
  return sides.length === 0 ? sides : sides.filter(({ subject }) => subjectSelects(subject, pod) !== 'no');
}

export function isAfterNetwork({ object }: RecognisedSide): boolean {
  return factsOf(object.kind).acts === 'after-network';
}

function isNamesake(one: RecognisedPolicy, other: RecognisedPolicy): boolean {
  return one.namespace === other.namespace && one.name === other.name;
}

function sorted(sides: RecognisedSide[]): readonly RecognisedSide[] {
  return sides.sort((a, b) => compare(sortKey(a), sortKey(b)));
}

function sortKey({ object: { kind, namespace, name } }: RecognisedSide): string {
  return `${kind} ${namespace}/${name}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
