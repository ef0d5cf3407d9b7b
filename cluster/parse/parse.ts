// Parses one object from a file or the API server. Pure; never throws.

import { type FieldPath, pathText } from '../../model/field-path.ts';
import type { ClusterObject } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import { factsOf, nameOfKind, recognisedKinds } from '../../model/recognised-policy.ts';
import { adminNetworkPolicy, baselineAdminNetworkPolicy, clusterNetworkPolicy } from './cluster-policy.ts';
import { controlledKinds } from './controller-labels.ts';
import { endpointSlice } from './endpoint-slice.ts';
import { brokenEndpoints, endpoints } from './endpoints.ts';
import { at, missingField, moreProblems, unknownApiVersion } from './errors.ts';
import { Field, type FieldFault } from './field.ts';
import { groupOf, hasKnownKinds, isKind, policyKindFault } from './kind.ts';
import { checkMetadataFields, checkNearlyNamedFields, hasMisspelledNamespace } from './known-fields.ts';
import { checkLabelsAndAnnotations, isName, type Metadata, metadata, type Scope } from './metadata.ts';
import { namespace } from './namespace.ts';
import { networkPolicy } from './network-policy.ts';
import { node } from './node.ts';
import { pod } from './pod.ts';
import type { PolicyDraft } from './policy-draft.ts';
import { prometheusOperatorGroup, prometheusOperatorKinds, prometheusOperatorWorkload } from './prometheus-operator.ts';
import { namedPolicyKindOf, recognisedKindOf, recognisedPolicy } from './recognised/recognised.ts';
import { service } from './service.ts';
import { hasPodTemplate, workload } from './workload.ts';

/**
 * `not-ours`: a kind or API group that Waybill does not use. `broken`: not usable because of its problems. `mayBePolicy`: its
 * kind is misspelled in an API group of policies, or its namespace is; `namespace` is missing for policies of the whole cluster.
 */
export type Parsed =
  | { is: 'object'; object: ClusterObject; problems: readonly Problem[] }
  | { is: 'broken'; problems: readonly Problem[]; mayBePolicy?: { namespace?: string } }
  | { is: 'not-ours' };

/** The place of a part of the object, such as `db.yaml:14`; empty for an object from the API server. */
export type Locate = (path: FieldPath) => string;

/**
 * A policy, Node, EndpointSlice or Endpoints with faults is still an object, with `broken`: it shows for which pods or addresses
 * something is unknown (rule 17). Any other object with faults is `broken` as a whole.
 */
export function parseObject(raw: unknown, locate: Locate = () => ''): Parsed {
  if (typeof raw !== 'object' || raw === null) return { is: 'not-ours' };
  const faults: FieldFault[] = [];
  const field = new Field(raw, faults);
  const recognised = recognisedKindOf(field);
  if (recognised !== undefined)
    return { is: 'object', object: recognisedPolicy(raw, recognised, () => locate([])), problems: [] };
  const kind = field.at('kind').value;
  const known = typeof kind === 'string' ? parserFor(field, kind) : undefined;
  if (known === undefined) return unusedKind(raw, locate);

  const meta = metadata(field, known.foreign ? `${kind}.${known.group}` : (kind as string), known.scope);
  const parsed = known.parse(field, meta);
  if (isDraft(parsed)) {
    checkLabelsAndAnnotations(meta);
    checkMetadataFields(meta.field);
  } else checkNearlyNamedFields(field, kind as string, known.group, known.foreign === true);
  const subject = `${kind} ${known.scope === 'namespaced' ? `${meta.namespace}/` : ''}${meta.name || '(no name)'}`;
  const problems = faults.slice(0, maxProblems).map((fault) => at(placeOf(subject, fault.path, locate), fault));
  if (faults.length > maxProblems) problems.push(at(subject, moreProblems(faults.length - maxProblems)));
  // It may be meant for any namespace.
  if (isDraft(parsed) && known.scope === 'namespaced' && hasMisspelledNamespace(meta.field))
    return { is: 'broken', problems, mayBePolicy: {} };
  if (isDraft(parsed)) return policy(meta, parsed, problems, locate);
  if (problems.length === 0) return { is: 'object', object: parsed, problems };
  if (parsed.kind === 'Endpoints' && meta.name !== '') {
    return { is: 'object', object: brokenEndpoints(parsed), problems };
  }
  if ((parsed.kind === 'Node' || parsed.kind === 'EndpointSlice') && meta.name !== '') {
    return { is: 'object', object: { ...parsed, broken: true }, problems };
  }
  return { is: 'broken', problems };
}

/** A misspelled kind in a policy API group is a problem: the author meant a policy. */
function unusedKind(raw: object, locate: Locate): Parsed {
  const fault = policyKindFault(raw);
  const meta = 'metadata' in raw ? raw.metadata : undefined;
  const named = fault === undefined ? namedPolicyKindOf(raw) : undefined;
  if (named !== undefined)
    return { is: 'object', object: recognisedPolicy(raw, named, () => locate([])), problems: [] };
  if (fault === undefined || typeof meta !== 'object' || meta === null) return { is: 'not-ours' };
  const field = new Field(meta, []);
  const names = [field.at('namespace').text(), field.at('name').text()].filter((part) => part && isName(part));
  const kind = 'kind' in raw && isKind(raw.kind) ? raw.kind : 'object';
  const subject = `${kind} ${names.join('/') || '(no name)'}`;
  const namespace = field.at('namespace').text() || 'default';
  const isNamespaced = groupOf((raw as { apiVersion?: unknown }).apiVersion) === kinds.NetworkPolicy!.group;
  return {
    is: 'broken',
    problems: [at(placeOf(subject, ['kind'], locate), fault)],
    mayBePolicy: isNamespaced ? { namespace } : {},
  };
}

/** Limit per object. Fixing these shows the rest. */
const maxProblems = 50;

type KindParser = {
  group: string;
  /** Another API; the object is read because of its pods. Its kind may have the name of a known kind. */
  foreign?: true;
  version: string;
  scope: Scope;
  parse: (field: Field, meta: Metadata) => ClusterObject | PolicyDraft;
};

const policyApi = { group: 'policy.networking.k8s.io', scope: 'cluster' as const };

const kinds: Record<string, KindParser> = {
  Pod: { group: '', version: 'v1', scope: 'namespaced', parse: pod },
  Namespace: { group: '', version: 'v1', scope: 'cluster', parse: namespace },
  Node: { group: '', version: 'v1', scope: 'cluster', parse: node },
  Service: { group: '', version: 'v1', scope: 'namespaced', parse: service },
  Endpoints: { group: '', version: 'v1', scope: 'namespaced', parse: endpoints },
  EndpointSlice: { group: 'discovery.k8s.io', version: 'v1', scope: 'namespaced', parse: endpointSlice },
  NetworkPolicy: { group: 'networking.k8s.io', version: 'v1', scope: 'namespaced', parse: networkPolicy },
  ClusterNetworkPolicy: { ...policyApi, version: 'v1alpha2', parse: clusterNetworkPolicy },
  AdminNetworkPolicy: { ...policyApi, version: 'v1alpha1', parse: adminNetworkPolicy },
  BaselineAdminNetworkPolicy: { ...policyApi, version: 'v1alpha1', parse: baselineAdminNetworkPolicy },
};

const workloads: Record<string, KindParser> = {
  Deployment: { group: 'apps', version: 'v1', scope: 'namespaced', parse: ofKind('apps', 'Deployment') },
  StatefulSet: { group: 'apps', version: 'v1', scope: 'namespaced', parse: ofKind('apps', 'StatefulSet') },
  DaemonSet: { group: 'apps', version: 'v1', scope: 'namespaced', parse: ofKind('apps', 'DaemonSet') },
  ReplicaSet: {
    group: 'apps',
    version: 'v1',
    scope: 'namespaced',
    parse: ofKind('apps', 'ReplicaSet', 'Deployment', 'Rollout'),
  },
  ReplicationController: {
    group: '',
    version: 'v1',
    scope: 'namespaced',
    parse: ofKind('', 'ReplicationController', 'DeploymentConfig'),
  },
  Job: { group: 'batch', version: 'v1', scope: 'namespaced', parse: ofKind('batch', 'Job', 'CronJob') },
  CronJob: { group: 'batch', version: 'v1', scope: 'namespaced', parse: ofKind('batch', 'CronJob') },
};

/** The kinds that may change a verdict, without their groups. A kind of another API with a pod template is used too. */
export const usedKinds: ReadonlySet<string> = new Set([
  ...Object.keys(kinds),
  ...Object.keys(workloads),
  ...controlledKinds.map(nameOfKind),
  ...prometheusOperatorKinds,
  ...recognisedKinds.filter((kind) => factsOf(kind).acts === 'in-network').map(nameOfKind),
]);

function ofKind(group: string, kind: string, ...ownerKinds: string[]): KindParser['parse'] {
  return (field, meta) => workload(field, meta, kind, group, ownerKinds);
}

/** Undefined if Waybill does not use the object. A kind of another API is a workload if it has a pod template, or pods by rule. */
function parserFor(field: Field, kind: string): KindParser | undefined {
  for (const known of [kinds, workloads])
    if (Object.hasOwn(known, kind) && isOurs(field, known[kind]!)) return known[kind];
  const { value: apiVersion } = field.at('apiVersion');
  const [group, version] = typeof apiVersion === 'string' ? apiVersion.split('/') : [];
  if (!isKind(kind) || group === undefined || version === undefined) return undefined;
  const byRule = group === prometheusOperatorGroup ? prometheusOperatorWorkload(kind) : undefined;
  if (byRule === undefined && !hasPodTemplate(field.value)) return undefined;
  return { group, foreign: true, version, scope: 'namespaced', parse: byRule ?? ofKind(group, kind) };
}

/** An unsupported version of a known kind is a fault. A map with neither apiVersion nor metadata is not an object. */
function isOurs(field: Field, known: KindParser): boolean {
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
  const sameApi = group === known.group || (group === 'extensions' && known.group !== '');
  if (!sameApi && !(hasKnownKinds(group) && typeof field.at('metadata').value === 'object')) return false;
  versionField.fault(unknownApiVersion(version, wanted));
  return true;
}

function placeOf(subject: string, path: FieldPath, locate: Locate): string {
  const where = [locate(path), pathText(path)].filter((part) => part !== '').join(', ');
  return where === '' ? subject : `${subject} (${where})`;
}

function isDraft(parsed: ClusterObject | PolicyDraft): parsed is PolicyDraft {
  return 'valid' in parsed;
}

function policy(meta: Metadata, draft: PolicyDraft, problems: readonly Problem[], locate: Locate): Parsed {
  const { namespace: inNamespace, createdUs } = meta;
  // The place distinguishes policies without a name.
  const name = meta.name || `(no name, ${locate([])})`;
  const uid = meta.name === '' ? `${draft.valid.kind}/${inNamespace}/${name}` : meta.uid;
  const named = { name, namespace: inNamespace, uid, createdUs };
  const object = problems.length > 0 ? { ...named, ...draft.partial, broken: problems } : { ...named, ...draft.valid };
  return { is: 'object', object, problems };
}
