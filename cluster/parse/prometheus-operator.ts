// The custom resources of the Prometheus operator whose pods follow from the resource alone: the operator makes a StatefulSet
// of it (or a DaemonSet), with a name, labels and ports by rule.
import type { ContainerPort, Labels, TemplatePod, Workload } from '../../model/kubernetes.ts';
import { valueFrom } from '../../model/label-value.ts';
import { TCP, UDP } from '../../model/protocol.ts';
import { daemonSetLabels, statefulSetLabels } from './controller-labels.ts';
import type { Field } from './field.ts';
import type { Metadata } from './metadata.ts';
import { containerPorts, labels } from './values.ts';
import { withControllerLabels } from './workload.ts';

export const prometheusOperatorGroup = 'monitoring.coreos.com';

type OperatorKind = {
  /** In front of the name of the resource. */
  prefix: string;
  labelsOf(name: string): Labels;
  portsOf(spec: Field): ContainerPort[];
  /** Its pods are divided into shards, each a StatefulSet. */
  sharded?: true;
};

const kinds: Record<string, OperatorKind> = {
  Prometheus: {
    prefix: 'prometheus-',
    labelsOf: (name) => ({ ...common('prometheus', name), prometheus: name, 'operator.prometheus.io/name': name }),
    portsOf: (spec) => [...webPort(spec, 9090), reloaderPort, ...(spec.at('thanos').given ? thanosPorts : [])],
    sharded: true,
  },
  PrometheusAgent: {
    prefix: 'prom-agent-',
    labelsOf: (name) => ({ ...common('prometheus-agent', name), 'operator.prometheus.io/name': name }),
    portsOf: (spec) => [...webPort(spec, 9090), reloaderPort],
    sharded: true,
  },
  Alertmanager: {
    prefix: 'alertmanager-',
    labelsOf: (name) => ({ ...common('alertmanager', name), alertmanager: name }),
    portsOf: (spec) => [...webPort(spec, 9093), ...meshPorts, reloaderPort],
  },
  ThanosRuler: {
    prefix: 'thanos-ruler-',
    labelsOf: (name) => ({ ...common('thanos-ruler', name), 'thanos-ruler': name }),
    portsOf: (spec) => [{ name: 'grpc', port: 10901, protocol: TCP }, ...webPort(spec, 10902), reloaderPort],
  },
};

/** The kinds that have pods. */
export const prometheusOperatorKinds: readonly string[] = Object.keys(kinds);

/** Undefined for a kind of the operator that has no pods, such as ServiceMonitor. */
export function prometheusOperatorWorkload(kind: string): ((field: Field, meta: Metadata) => Workload) | undefined {
  const known = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  return known && ((field, meta) => workloadOf(kind, known, field, meta));
}

/** It represents the StatefulSet of the operator if the manifests lack that: both have the same pods. */
function workloadOf(kind: string, known: OperatorKind, field: Field, { name, namespace, uid }: Metadata): Workload {
  const spec = field.at('spec');
  const ownName = `${known.prefix}${name}`;
  const isDaemonSet = kind === 'PrometheusAgent' && spec.at('mode').value === 'DaemonSet';
  const written = { ...labels(spec.at('podMetadata').at('labels')), ...known.labelsOf(name) };
  const added = isDaemonSet ? { labels: daemonSetLabels } : statefulSetLabels(ownName, spec);
  return {
    kind: 'Workload',
    name,
    namespace,
    uid,
    workload: { kind: isDaemonSet ? 'DaemonSet' : 'StatefulSet', name: ownName },
    owned: { kind, retired: false },
    ...(known.sharded && !isDaemonSet ? sharded(ownName, written, spec) : withControllerLabels(written, added)),
    hostNetwork: spec.at('hostNetwork').flag() ?? false,
    ports: [...known.portsOf(spec), ...containerPorts(spec)],
  };
}

const shardLabel = 'operator.prometheus.io/shard';
const maxShards = 100;

/** The StatefulSet of each shard but the first has the number of the shard in its name. */
function sharded(name: string, written: Labels, spec: Field): { labels: Labels; pods?: readonly TemplatePod[] } {
  const { value } = spec.at('shards');
  const shards = typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : 1;
  const all = Array.from({ length: Math.min(shards, maxShards) }, (_, shard) => {
    const ofShard = { ...written, [shardLabel]: `${shard}` };
    return withControllerLabels(ofShard, statefulSetLabels(shard === 0 ? name : `${name}-shard-${shard}`, spec));
  });
  const [first] = all;
  if (shards > maxShards || first?.pods === undefined) {
    const unnumbered = { ...written, [shardLabel]: shards === 1 ? '0' : valueFrom('') };
    return { labels: withControllerLabels(unnumbered, statefulSetLabels(name, spec)).labels };
  }
  return { labels: first.labels, pods: all.flatMap(({ pods = [] }) => pods) };
}

function common(kind: string, name: string): Labels {
  return {
    'app.kubernetes.io/name': kind,
    'app.kubernetes.io/managed-by': 'prometheus-operator',
    'app.kubernetes.io/instance': name,
    'app.kubernetes.io/version': valueFrom(''),
  };
}

const reloaderPort: ContainerPort = { name: 'reloader-web', port: 8080, protocol: TCP };
const thanosPorts: readonly ContainerPort[] = [
  { name: 'http', port: 10902, protocol: TCP },
  { name: 'grpc', port: 10901, protocol: TCP },
];
const meshPorts: readonly ContainerPort[] = [
  { name: 'mesh-tcp', port: 9094, protocol: TCP },
  { name: 'mesh-udp', port: 9094, protocol: UDP },
];

/** With `listenLocal`, no other pod can reach it. */
function webPort(spec: Field, port: number): ContainerPort[] {
  if (spec.at('listenLocal').value === true) return [];
  return [{ name: spec.at('portName').text() ?? 'web', port, protocol: TCP }];
}
