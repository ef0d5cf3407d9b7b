// One object as it came, from a file or the API server, into the object that Waybill works with. Pure; never throws.
import type { ClusterObject } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import { adminNetworkPolicy, baselineAdminNetworkPolicy, clusterNetworkPolicy } from './cluster-policy.ts';
import { endpointSlice } from './endpoint-slice.ts';
import { at, missingField, moreProblems, unknownApiVersion } from './errors.ts';
import { Field, type FieldFault, type Path, pathText } from './field.ts';
import { groupOf, isKind, isOfOthers, strangeKind } from './kind.ts';
import { isName, type Metadata, metadata, type Scope } from './metadata.ts';
import { namespace } from './namespace.ts';
import { networkPolicy } from './network-policy.ts';
import { node } from './node.ts';
import { pod } from './pod.ts';
import type { PolicyDraft } from './policy-draft.ts';
import { service } from './service.ts';
import { hasPodTemplate, workload } from './workload.ts';

/** `not-ours`: another kind or API group. `broken`: it is left out; its problems say why. */
export type Parsed =
  | { is: 'object'; object: ClusterObject; problems: readonly Problem[] }
  | { is: 'broken'; problems: readonly Problem[] }
  | { is: 'not-ours' };

/** Where a part of the object stands, as `db.yaml:14`; empty where it came from no file. */
export type Locate = (path: Path) => string;

/**
 * A broken policy is an object all the same, with `broken` (rule 17), and so are a Node and an EndpointSlice, which say
 * for whom something is not known. Whatever else is broken is left out.
 */
export function parseObject(raw: unknown, locate: Locate = () => ''): Parsed {
  if (typeof raw !== 'object' || raw === null) return { is: 'not-ours' };
  const faults: FieldFault[] = [];
  const field = new Field(raw, faults);
  const kind = field.at('kind').value;
  const known = typeof kind === 'string' ? knownAs(field, kind) : undefined;
  if (known === undefined) return strange(raw, locate);

  const meta = metadata(field, known.foreign ? `${kind}.${known.group}` : (kind as string), known.scope);
  const parsed = known.parse(field, meta);
  const subject = `${kind} ${known.scope === 'namespaced' ? `${meta.namespace}/` : ''}${meta.name || '(no name)'}`;
  const problems = faults.slice(0, mostProblems).map((fault) => at(placeOf(subject, fault.path, locate), fault));
  if (faults.length > mostProblems) problems.push(at(subject, moreProblems(faults.length - mostProblems)));
  if (isDraft(parsed)) return policy(meta, parsed, problems, locate);
  if (problems.length === 0) return { is: 'object', object: parsed, problems };
  if ((parsed.kind === 'Node' || parsed.kind === 'EndpointSlice') && meta.name !== '') {
    return { is: 'object', object: { ...parsed, broken: true }, problems };
  }
  return { is: 'broken', problems };
}

/** A kind that is none: whoever wrote it meant a policy. */
function strange(raw: object, locate: Locate): Parsed {
  const fault = strangeKind(raw);
  const meta = 'metadata' in raw ? raw.metadata : undefined;
  if (fault === undefined || typeof meta !== 'object' || meta === null) return { is: 'not-ours' };
  const field = new Field(meta, []);
  const names = [field.at('namespace').text(), field.at('name').text()].filter((part) => part && isName(part));
  const kind = 'kind' in raw && isKind(raw.kind) ? raw.kind : 'object';
  const subject = `${kind} ${names.join('/') || '(no name)'}`;
  return { is: 'broken', problems: [at(placeOf(subject, ['kind'], locate), fault)] };
}

/** Told of one object; whoever mends these finds the rest. */
const mostProblems = 50;

type Known = {
  group: string;
  /** Of an API that is known by the pod template alone: its kinds may be called as others are. */
  foreign?: true;
  version: string;
  scope: Scope;
  parse: (field: Field, meta: Metadata) => ClusterObject | PolicyDraft;
};

const policyApi = { group: 'policy.networking.k8s.io', scope: 'cluster' as const };

const kinds: Record<string, Known> = {
  Pod: { group: '', version: 'v1', scope: 'namespaced', parse: pod },
  Namespace: { group: '', version: 'v1', scope: 'cluster', parse: namespace },
  Node: { group: '', version: 'v1', scope: 'cluster', parse: node },
  Service: { group: '', version: 'v1', scope: 'namespaced', parse: service },
  EndpointSlice: { group: 'discovery.k8s.io', version: 'v1', scope: 'namespaced', parse: endpointSlice },
  NetworkPolicy: { group: 'networking.k8s.io', version: 'v1', scope: 'namespaced', parse: networkPolicy },
  ClusterNetworkPolicy: { ...policyApi, version: 'v1alpha2', parse: clusterNetworkPolicy },
  AdminNetworkPolicy: { ...policyApi, version: 'v1alpha1', parse: adminNetworkPolicy },
  BaselineAdminNetworkPolicy: { ...policyApi, version: 'v1alpha1', parse: baselineAdminNetworkPolicy },
};

const workloads: Record<string, Known> = {
  Deployment: { group: 'apps', version: 'v1', scope: 'namespaced', parse: ofKind('Deployment') },
  StatefulSet: { group: 'apps', version: 'v1', scope: 'namespaced', parse: ofKind('StatefulSet') },
  DaemonSet: { group: 'apps', version: 'v1', scope: 'namespaced', parse: ofKind('DaemonSet') },
  ReplicaSet: {
    group: 'apps',
    version: 'v1',
    scope: 'namespaced',
    parse: ofKind('ReplicaSet', 'Deployment', 'Rollout'),
  },
  ReplicationController: {
    group: '',
    version: 'v1',
    scope: 'namespaced',
    parse: ofKind('ReplicationController', 'DeploymentConfig'),
  },
  Job: { group: 'batch', version: 'v1', scope: 'namespaced', parse: ofKind('Job', 'CronJob') },
  CronJob: { group: 'batch', version: 'v1', scope: 'namespaced', parse: ofKind('CronJob') },
};

function ofKind(kind: string, ...makers: string[]): Known['parse'] {
  return (field, meta) => workload(field, meta, kind, makers);
}

/** Undefined where it is not ours. A kind of another API is ours where it has a pod template, whatever it is called. */
function knownAs(field: Field, kind: string): Known | undefined {
  for (const known of [kinds, workloads])
    if (Object.hasOwn(known, kind) && isOurs(field, known[kind]!)) return known[kind];
  const { value: apiVersion } = field.at('apiVersion');
  const [group, version] = typeof apiVersion === 'string' ? apiVersion.split('/') : [];
  if (!isKind(kind) || group === undefined || version === undefined || !hasPodTemplate(field.value)) return undefined;
  return { group, foreign: true, version, scope: 'namespaced', parse: ofKind(kind) };
}

/** Tells a fault where the kind is ours in a version that is not. A map with a kind and neither is some other file. */
function isOurs(field: Field, known: Known): boolean {
  const versionField = field.at('apiVersion');
  const version = versionField.value;
  const wanted = known.group === '' ? known.version : `${known.group}/${known.version}`;
  if (version === wanted) return true;
  if (version === undefined) {
    if (typeof field.at('metadata').value !== 'object') return false;
    versionField.fault(missingField('apiVersion'));
    return true;
  }
  const group = groupOf(version);
  // extensions/v1beta1 held most of these kinds until Kubernetes 1.16.
  const mayBeMeant = group === known.group || (group === 'extensions' && known.group !== '');
  if (!mayBeMeant && !(isOfOthers(group) && typeof field.at('metadata').value === 'object')) return false;
  versionField.fault(unknownApiVersion(version, wanted));
  return true;
}

function placeOf(subject: string, path: Path, locate: Locate): string {
  const where = [locate(path), pathText(path)].filter((part) => part !== '').join(', ');
  return where === '' ? subject : `${subject} (${where})`;
}

function isDraft(parsed: ClusterObject | PolicyDraft): parsed is PolicyDraft {
  return 'sound' in parsed;
}

function policy(meta: Metadata, draft: PolicyDraft, problems: readonly Problem[], locate: Locate): Parsed {
  const { namespace: inNamespace, createdUs } = meta;
  // A nameless one is told from the next by its place.
  const name = meta.name || `(no name, ${locate([])})`;
  const uid = meta.name === '' ? `${draft.sound.kind}/${inNamespace}/${name}` : meta.uid;
  const named = { name, namespace: inNamespace, uid, createdUs };
  const object = problems.length > 0 ? { ...named, ...draft.read, broken: problems } : { ...named, ...draft.sound };
  return { is: 'object', object, problems };
}
