// One-line builders for objects as files and API servers have them, and the problems of parsing them.
import { type Parsed, parseObject } from '../../cluster/parse/parse.ts';
import type { ClusterObject, ClusterPolicy } from '../../model/kubernetes.ts';
import { problemLine } from '../../model/problem.ts';
import type { RecognisedKind, RecognisedPolicy } from '../../model/recognised-policy.ts';

export type Raw = Record<string, unknown> & { kind: string; metadata: Record<string, unknown> };

/** `raw('Pod', 'shop/web', { spec: {} })`; a place without `/` has no namespace. */
export function raw(kind: keyof typeof apiVersions, place: string, rest: Record<string, unknown> = {}): Raw {
  const [name, namespace] = place.split('/').reverse();
  const { metadata, ...body } = rest;
  const own = namespace === undefined ? { name } : { name, namespace };
  return { apiVersion: apiVersions[kind], kind, metadata: { ...own, ...(metadata as object) }, ...body };
}

const apiVersions = {
  Pod: 'v1',
  Namespace: 'v1',
  Node: 'v1',
  Service: 'v1',
  ConfigMap: 'v1',
  EndpointSlice: 'discovery.k8s.io/v1',
  NetworkPolicy: 'networking.k8s.io/v1',
  ClusterNetworkPolicy: 'policy.networking.k8s.io/v1alpha2',
  AdminNetworkPolicy: 'policy.networking.k8s.io/v1alpha1',
  BaselineAdminNetworkPolicy: 'policy.networking.k8s.io/v1alpha1',
  Deployment: 'apps/v1',
  ReplicaSet: 'apps/v1',
  ReplicationController: 'v1',
  Job: 'batch/v1',
  CronJob: 'batch/v1',
};

type OfKind<Kind extends ClusterObject['kind']> = Kind extends ClusterPolicy['kind']
  ? ClusterPolicy
  : Kind extends RecognisedKind
    ? RecognisedPolicy
    : Extract<ClusterObject, { kind: Kind }>;

/** The object of that kind; throws if it is invalid or of another kind. */
export function parsed<Kind extends ClusterObject['kind']>(kind: Kind, object: unknown): OfKind<Kind> {
  const result = parseObject(object);
  if (result.is !== 'object') throw new Error(`no object: ${lines(result).join('; ') || result.is}`);
  if (result.object.kind !== kind) throw new Error(`a ${result.object.kind}`);
  return result.object as OfKind<Kind>;
}

/** The problems as the user sees them. */
export function problemsOf(object: unknown): string[] {
  return lines(parseObject(object));
}

function lines(result: Parsed): string[] {
  return result.is === 'not-ours' ? [] : result.problems.map(problemLine);
}
