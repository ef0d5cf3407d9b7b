// What a verdict costs, from the cache and without it, and what a change costs, with 10,000 pods and 2,000 policies; and
// how each grows with the cluster. One process, one core.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { TCP, UDP } from '../model/protocol.ts';
import type { Flow, Party } from '../model/verdict.ts';
import { CachedJudge } from '../policy/cached-judge.ts';
import { judge } from '../policy/judge.ts';
import { defaultPolicyOptions } from '../policy/options.ts';
import { compilePolicies, type PolicySet, withPolicy } from '../policy/policy-set.ts';
import { budgetLine, percentile } from './budget.ts';
import {
  clusterPolicies,
  clusterPolicyOf,
  networkPolicyOf,
  type PodParty,
  type PolicyCluster,
  policyCluster,
} from './policy-cluster.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const sizes = [
  { pods: 1_000, policies: 200 },
  { pods: 10_000, policies: 2_000 },
  { pods: 50_000, policies: 10_000 },
];
const budgetPods = 10_000;
const questions = 100_000;
const kept = 2 ** 18;
const turns = 15;
const changes = 500;

const changeKinds = ['a NetworkPolicy', 'a cluster policy', 'a pod', 'a namespace'] as const;
type ChangeKind = (typeof changeKinds)[number];
type Figures = {
  cached: number;
  uncached: number;
  buildMs: number;
  changeMs: Record<ChangeKind, number>;
  mib: number;
};

/** What pods ask: half of their own namespace, a quarter of another, a quarter of the outside, on a few ports. */
function crossings({ pods, outside }: PolicyCluster): Flow[] {
  let state = 42;
  const below = (most: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
  const namespaces = Math.ceil(pods.length / 100);
  const ports = [8080, 443, 9003, 8050, 5432];
  return Array.from({ length: questions }, () => {
    const initiator = below(pods.length);
    const kind = below(4);
    const sameNamespace = (initiator % namespaces) + namespaces * below(Math.floor(pods.length / namespaces));
    const responder: Party =
      kind < 2 ? pods[sameNamespace]! : kind === 2 ? pods[below(pods.length)]! : outside[below(outside.length)]!;
    const dns = below(10) === 0;
    return {
      initiator: pods[initiator]!,
      responder,
      protocol: dns ? UDP : TCP,
      port: dns ? 53 : ports[below(ports.length)]!,
    };
  });
}

/** Verdicts a second: of the turns the upper quartile, for what else runs on the machine only ever takes away. */
function rate(asked: readonly Flow[], ask: (crossing: Flow) => unknown): number {
  const rates: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const begun = performance.now();
    for (const crossing of asked) ask(crossing);
    rates.push((asked.length * 1000) / (performance.now() - begun));
  }
  return percentile(rates, 0.75);
}

type Changed = { set: PolicySet; pods: readonly PodParty[] };

/** The n-th change of its kind, with the pods of the namespace that it is of as they are after it. */
const changed: Record<
  ChangeKind,
  (n: number, set: PolicySet, namespace: number, pods: readonly PodParty[]) => Changed
> = {
  'a NetworkPolicy': (n, set, namespace, pods) => ({
    set: withPolicy(set, networkPolicyOf(namespace, 1 + (n % 15), `changed-${n}`)),
    pods,
  }),
  'a cluster policy': (n, set, _, pods) => ({
    set: withPolicy(set, clusterPolicyOf(n % clusterPolicies, `changed-${n}`)),
    pods,
  }),
  'a pod': (n, set, _, [first, ...others]) => ({
    set,
    pods: [{ ...first!, labels: { ...first!.labels, 'pod-template-hash': `changed-${n}` } }, ...others],
  }),
  'a namespace': (n, set, _, pods) => {
    const namespaceLabels = { ...pods[0]!.namespaceLabels, stage: `changed-${n}` };
    return { set, pods: pods.map((pod) => ({ ...pod, namespaceLabels })) };
  },
};

/** From a change to the new verdict of every pod of a namespace, each asked by its first. 99 of 100 changes. */
function changeMs(kind: ChangeKind, cluster: PolicyCluster, before: PolicySet, cache: CachedJudge): number {
  const byNamespace = Map.groupBy(cluster.pods, (pod) => pod.namespace);
  let set = before;
  const figures: number[] = [];
  for (let n = 0; n < changes; n++) {
    const namespace = (n * 13) % byNamespace.size;
    const pods = byNamespace.get(`ns-${namespace}`)!;
    const begun = performance.now();
    const after = changed[kind](n, set, namespace, pods);
    set = after.set;
    for (const responder of after.pods) {
      cache.judge({ initiator: after.pods[0]!, responder, protocol: TCP, port: 8080 }, set);
    }
    figures.push(performance.now() - begun);
  }
  return percentile(figures, 0.99);
}

function measure(pods: number, policies: number): Figures {
  const cluster = policyCluster(pods, policies);
  const asked = crossings(cluster);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const begun = performance.now();
  const set = compilePolicies(cluster.policies);
  const buildMs = performance.now() - begun;
  const cache = new CachedJudge(defaultPolicyOptions, kept);
  for (const crossing of asked) cache.judge(crossing, set);
  collectGarbage();
  const mib = (process.memoryUsage().heapUsed - before) / 2 ** 20;
  return {
    cached: rate(asked, (crossing) => cache.judge(crossing, set)),
    uncached: rate(asked, (crossing) => judge(crossing, set, defaultPolicyOptions)),
    buildMs,
    changeMs: Object.fromEntries(
      changeKinds.map((kind) => [kind, changeMs(kind, cluster, set, cache)]),
    ) as Figures['changeMs'],
    mib,
  };
}

for (const { pods, policies } of sizes) {
  const { cached, uncached, buildMs, changeMs: change, mib } = measure(pods, policies);
  process.stdout.write(
    `${pods} pods, ${policies} policies: ${rounded(cached)} verdicts/s from the cache, ${rounded(uncached)} without, ` +
      `built in ${buildMs.toFixed(1)} ms, ${mib.toFixed(0)} MiB with ${questions} verdicts kept; ` +
      `a change (p99) of ${changeKinds.map((kind) => `${kind} ${change[kind].toFixed(2)} ms`).join(', ')}\n`,
  );
  if (pods !== budgetPods) continue;
  for (const budget of [
    { name: 'verdict-cached', figure: cached / 1_000_000, unit: 'M/s', limit: 1, better: 'higher' },
    { name: 'verdict-uncached', figure: uncached / 1_000_000, unit: 'M/s', limit: 0.2, better: 'higher' },
    {
      name: 'policy-change',
      figure: Math.max(change['a NetworkPolicy'], change['a cluster policy']),
      unit: 'ms',
      limit: 10,
      better: 'lower',
    },
    {
      name: 'pod-change',
      figure: Math.max(change['a pod'], change['a namespace']),
      unit: 'ms',
      limit: 10,
      better: 'lower',
    },
  ] as const) {
    process.stdout.write(`${budgetLine(budget)}\n`);
  }
}

function rounded(aSecond: number): string {
  return Math.round(aSecond).toLocaleString('en');
}
