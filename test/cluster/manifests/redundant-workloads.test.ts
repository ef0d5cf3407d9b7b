import t from 'tap';
import { readManifests } from '../../../cluster/manifests/read.ts';
import { objectKey } from '../../../model/kubernetes.ts';
import { folder } from './folders.ts';

const spec = (rest = '') => `{ ${rest} template: { metadata: { labels: { app: web } }, spec: { containers: [] } } }`;
const deployment = `{ apiVersion: apps/v1, kind: Deployment, metadata: { name: web, namespace: shop }, spec: ${spec()} }`;

function owner(kind: string, name: string): string {
  return `ownerReferences: [{ kind: ${kind}, name: ${name}, controller: true }]`;
}

function replicaSet(name: string, rest = ''): string {
  const metadata = `{ name: ${name}, namespace: shop, ${owner('Deployment', 'web')} }`;
  return `{ apiVersion: apps/v1, kind: ReplicaSet, metadata: ${metadata}, spec: ${spec(rest)} }`;
}

function job(name: string): string {
  const metadata = `{ name: ${name}, namespace: shop, ${owner('CronJob', 'sweep')} }`;
  return `{ apiVersion: batch/v1, kind: Job, metadata: ${metadata}, spec: ${spec()} }`;
}

function pod(name: string, ownedBy: string, status = '{ podIP: 10.0.0.1 }'): string {
  const metadata = `{ name: ${name}, namespace: shop, labels: { pod-template-hash: a }, ${ownedBy} }`;
  return `{ apiVersion: v1, kind: Pod, metadata: ${metadata}, spec: { containers: [] }, status: ${status} }`;
}

/** Keys of the workloads that remain. */
async function read(t: Parameters<typeof folder>[0], ...documents: string[]): Promise<string[]> {
  const { path } = folder(t, Object.fromEntries(documents.map((text, at) => [`${at}.yaml`, text])));
  const { objects } = await readManifests(path);
  return objects.filter(({ kind }) => kind === 'Workload').map(objectKey);
}

t.test('an owned workload represents its owner if the owner is missing, and is redundant otherwise', async (t) => {
  t.same(await read(t, replicaSet('web-a')), ['Workload/ReplicaSet/shop/web-a']);
  t.same(await read(t, replicaSet('web-a'), deployment), ['Workload/Deployment/shop/web']);
  t.same(await read(t, job('sweep-1')), ['Workload/Job/shop/sweep-1']);
});

t.test('an owned workload is redundant if the folder has running pods of it', async (t) => {
  t.same(await read(t, replicaSet('web-a'), pod('web-a-x', owner('ReplicaSet', 'web-a'))), []);
  t.same(await read(t, job('by-hand'), pod('by-hand-x', owner('Job', 'by-hand'))), [], 'pods of a Job of any name');
  const ended =
    '{ phase: Succeeded, containerStatuses: [{ state: { terminated: { finishedAt: "2026-01-31T00:00:00Z" } } }] }';
  const done = pod('by-hand-x', owner('Job', 'by-hand'), ended);
  t.same(await read(t, job('by-hand'), done), ['Workload/Job/shop/by-hand']);
});

t.test('of several workloads of one owner, the active ones represent it, or all if none is active', async (t) => {
  const [old, oldest] = [replicaSet('web-a', 'replicas: 0,'), replicaSet('web-b', 'replicas: 0,')];
  t.same(await read(t, old, replicaSet('web-c'), oldest), ['Workload/ReplicaSet/shop/web-c']);
  t.same(await read(t, old, oldest), ['Workload/ReplicaSet/shop/web-a', 'Workload/ReplicaSet/shop/web-b']);
});

t.test('a Prometheus represents the StatefulSet that its operator makes, and is redundant beside it', async (t) => {
  const prometheus =
    '{ apiVersion: monitoring.coreos.com/v1, kind: Prometheus, metadata: { name: k8s, namespace: shop }, spec: {} }';
  const stateful = `{ apiVersion: apps/v1, kind: StatefulSet, metadata: { name: prometheus-k8s, namespace: shop }, spec: ${spec()} }`;
  t.same(await read(t, prometheus), ['Workload/Prometheus/shop/k8s']);
  t.same(await read(t, prometheus, stateful), ['Workload/StatefulSet/shop/prometheus-k8s']);
  t.same(await read(t, prometheus, pod('prometheus-k8s-0', owner('StatefulSet', 'prometheus-k8s'))), []);
});
