// A Pod: its owner, its node, and its own addresses (rule 15).
import { type Address, type Prefix, parseAddress, parsePrefix } from '../../model/address.ts';
import type { Labels, Pod, WorkloadRef } from '../../model/kubernetes.ts';
import type { Field } from './field.ts';
import type { Metadata } from './metadata.ts';
import { addresses, containerPorts, labels, timeUs } from './values.ts';

export function pod(field: Field, meta: Metadata): Pod {
  const { name, namespace, uid } = meta;
  const spec = field.at('spec');
  const status = field.at('status');
  const podLabels = labels(meta.labels);
  const phase = status.at('phase').text();
  const ended = phase === 'Succeeded' || phase === 'Failed';
  const ips = [
    ...status
      .at('podIPs')
      .items()
      .map((item) => item.at('ip')),
    status.at('podIP'),
  ];
  const owned = addresses(ips);
  const annotations = meta.field.at('annotations');
  const annotation = (key: string) => annotations.at(key).text() ?? '';
  return {
    kind: 'Pod',
    name,
    namespace,
    uid,
    labels: podLabels,
    workload: workloadOf(meta, podLabels),
    node: spec.at('nodeName').text() ?? '',
    hostNetwork: spec.at('hostNetwork').flag() ?? false,
    addresses: ended ? [] : owned,
    secondaryAddresses: secondaryAddresses(annotation(networkStatusAnnotation)),
    forwards: [
      ...forwardedPrefixes(annotation(forwardsAnnotation).split(',', maxAnnotatedItems)),
      ...forwardedPrefixes(listOf(annotation(calicoPrefixesAnnotation))),
    ],
    ports: containerPorts(spec),
    startedUs: timeUs(status.at('startTime')) || meta.createdUs,
    endedUs: ended ? lastFinishUs(status) : 0,
    ...(ended && { ended }),
  };
}

/** The de-facto standard of CNI plugins for several networks: a JSON list of networks with their addresses. */
const networkStatusAnnotation = 'k8s.v1.cni.cncf.io/network-status';
const forwardsAnnotation = 'waybill.io/forwards';
const maxAnnotatedItems = 64;

/** Calico then lets the pod send packets with these source addresses. A JSON list. */
const calicoPrefixesAnnotation = 'cni.projectcalico.org/allowedSourcePrefixes';

function secondaryAddresses(annotation: string): Address[] {
  return listOf(annotation)
    .flatMap((network) => ipsOf(network))
    .slice(0, maxAnnotatedItems)
    .map((ip) => (typeof ip === 'string' ? parseAddress(ip) : undefined))
    .filter((address) => address !== undefined);
}

function ipsOf(network: unknown): readonly unknown[] {
  const ips = (network as { ips?: unknown } | null)?.ips;
  return Array.isArray(ips) ? ips : [];
}

function forwardedPrefixes(items: readonly unknown[]): Prefix[] {
  return items
    .slice(0, maxAnnotatedItems)
    .map((item) => (typeof item === 'string' ? prefixOf(item.trim()) : undefined))
    .filter((prefix) => prefix !== undefined);
}

/** An address alone is a prefix too. */
function prefixOf(text: string): Prefix | undefined {
  const address = parseAddress(text);
  return parsePrefix(address === undefined ? text : `${address}/${address.includes(':') ? 128 : 32}`);
}

/** Annotations are free text that others write, so what cannot be read counts as nothing. */
function listOf(annotation: string): unknown[] {
  try {
    const list: unknown = JSON.parse(annotation || '[]');
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

/** Owners of ReplicaSets name them by a hash, and their pods have it as a label. The label identifies the owner's kind. */
const ownerKindByHashLabel = { 'pod-template-hash': 'Deployment', 'rollouts-pod-template-hash': 'Rollout' };

function workloadOf(meta: Metadata, podLabels: Labels): WorkloadRef {
  const owner = controller(meta.field.at('ownerReferences'));
  // The owner of a static pod is its node, which is not a workload.
  if (owner === undefined || owner.kind === 'Node') return { kind: 'Pod', name: meta.name };
  for (const [label, kind] of Object.entries(ownerKindByHashLabel)) {
    const hash = podLabels[label];
    if (owner.kind !== 'ReplicaSet' || !hash || !owner.name.endsWith(`-${hash}`)) continue;
    return { kind, name: owner.name.slice(0, -hash.length - 1) };
  }
  if (owner.kind === 'Job') return cronJobOf(owner.name) ?? owner;
  if (owner.kind === 'ReplicationController') return deploymentConfigOf(owner.name, podLabels) ?? owner;
  return owner;
}

/** OpenShift names a ReplicationController NAME-REVISION, where NAME is its DeploymentConfig, a label of its pods. */
function deploymentConfigOf(controller: string, { deploymentconfig: name = '' }: Labels): WorkloadRef | undefined {
  const isRevision =
    name !== '' && controller.startsWith(`${name}-`) && /^\d+$/.test(controller.slice(name.length + 1));
  return isRevision ? { kind: 'DeploymentConfig', name } : undefined;
}

function controller(references: Field): WorkloadRef | undefined {
  const owners = references.items();
  const owner = owners.find((item) => item.at('controller').flag() === true) ?? owners[0];
  const kind = owner?.at('kind').text();
  const name = owner?.at('name').text();
  return kind && name ? { kind, name } : undefined;
}

/** The CronJob controller names a Job by its time in minutes since 1970. A date such as 20260131 is not such a time. */
function cronJobOf(job: string): WorkloadRef | undefined {
  const minutes = /^(.+)-(\d{8})$/.exec(job);
  if (minutes === null || Number(minutes[2]) < minutesOf2020) return undefined;
  return { kind: 'CronJob', name: minutes[1]! };
}

const minutesOf2020 = Date.UTC(2020, 0) / 60_000;

/** 0 if no container has a finish time. */
function lastFinishUs(status: Field): number {
  const finishes = status
    .at('containerStatuses')
    .items()
    .map((item) => timeUs(item.at('state').at('terminated').at('finishedAt')));
  return Math.max(0, ...finishes);
}
