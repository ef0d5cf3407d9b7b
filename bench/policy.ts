// The cost of a verdict, with and without the cache, and of a change, with 10,000 pods and 2,000 policies; and how both
// grow with the cluster. One process, one core.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { TCP, UDP } from '../model/protocol.ts';
import type { Flow, Party } from '../model/verdict.ts';
import { CachedJudge } from '../policy/cached-judge.ts';
import { judge } from '../policy/judge.ts';
import { defaultPolicyOptions } from '../policy/options.ts';
import type { PodParty } from '../policy/peers.ts';
import { compilePolicies, type PolicySet, withPolicy } from '../policy/policy-set.ts';
import { percentile, printBudgets } from './budget.ts';
import { numbers } from './cluster.ts';
import { clusterPolicies, clusterPolicyOf, networkPolicyOf, type PolicyLoad, policyLoad } from './policy-load.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const sizes = [
  { pods: 1_000, policies: 200 },
  { pods: 10_000, policies: 2_000 },
  { pods: 50_000, policies: 10_000 },
];
const budgetPods = 10_000;
const flowCount = 100_000;
const cacheSize = 2 ** 18;
const turns = 15;
const changeCount = 500;

const changeKinds = ['a NetworkPolicy', 'a cluster policy', 'a pod', 'a namespace'] as const;
type ChangeKind = (typeof changeKinds)[number];
type Figures = {
  cached: number;
  uncached: number;
  buildMs: number;
  changeMs: Record<ChangeKind, number>;
  mib: number;
};

/** Flows of random pods: half to their own namespace, a quarter to any pod, a quarter to the outside, on a few ports. */
function flowsOf({ pods, outside }: PolicyLoad): Flow[] {
  let state = 42;
  const below = (limit: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const oneOf = <One>(list: readonly One[]) => list[below(list.length)]!;
  const ports = [8080, 443, 9003, 8050, 5432];
  return Array.from({ length: flowCount }, () => {
    const own = oneOf(pods);
    const kind = below(4);
    const responder: Party = kind < 2 ? oneOf(own) : kind === 2 ? oneOf(oneOf(pods)) : oneOf(outside);
    const dns = below(10) === 0;
    return {
      initiator: oneOf(own),
      responder,
      protocol: dns ? UDP : TCP,
      port: dns ? 53 : oneOf(ports),
    };
  });
}

/** Verdicts per second: the upper quartile of all turns, because other processes can only make a turn slower. */
function rate(flows: readonly Flow[], judgeFlow: (flow: Flow) => unknown): number {
  const rates: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const startMs = performance.now();
    for (const flow of flows) judgeFlow(flow);
    rates.push((flows.length * 1000) / (performance.now() - startMs));
  }
  return percentile(rates, 0.75);
}

type State = { set: PolicySet; pods: readonly PodParty[] };

/** The n-th change of each kind, to a namespace with these pods. Prepared outside of the measured time. */
const changes: Record<ChangeKind, (n: number, namespace: number) => (state: State) => State> = {
  'a NetworkPolicy': (n, namespace) => {
    const policy = networkPolicyOf(namespace, 1 + (n % 15));
    return ({ set, pods }) => ({ set: withPolicy(set, policy), pods });
  },
  'a cluster policy': (n) => {
    const policy = clusterPolicyOf(n % clusterPolicies);
    return ({ set, pods }) => ({ set: withPolicy(set, policy), pods });
  },
  'a pod':
    (n) =>
    ({ set, pods: [first, ...others] }) => ({
      set,
      pods: [{ ...first!, labels: { ...first!.labels, 'pod-template-hash': `changed-${n}` } }, ...others],
    }),
  'a namespace':
    (n) =>
    ({ set, pods }) => {
      const namespaceLabels = { ...pods[0]!.namespaceLabels, stage: `changed-${n}` };
      return { set, pods: pods.map((pod) => ({ ...pod, namespaceLabels })) };
    },
};

/** From a change to the new verdicts from the first pod of a namespace to all of its pods: the 99th percentile. */
function changeMs(kind: ChangeKind, pods: PolicyLoad['pods'], before: PolicySet, cache: CachedJudge): number {
  let set = before;
  const figures = numbers(changeCount).map((n) => {
    const namespace = (n * 13) % pods.length;
    const change = changes[kind](n, namespace);
    const startMs = performance.now();
    const after = change({ set, pods: pods[namespace]! });
    set = after.set;
    for (const responder of after.pods) {
      cache.judge({ initiator: after.pods[0]!, responder, protocol: TCP, port: 8080 }, set);
    }
    return performance.now() - startMs;
  });
  return percentile(figures, 0.99);
}

function measure(pods: number, policies: number): Figures {
  const load = policyLoad(pods, policies);
  const flows = flowsOf(load);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const startMs = performance.now();
  const set = compilePolicies(load.policies);
  const buildMs = performance.now() - startMs;
  const cache = new CachedJudge(defaultPolicyOptions, cacheSize);
  for (const flow of flows) cache.judge(flow, set);
  collectGarbage();
  const mib = (process.memoryUsage().heapUsed - before) / 2 ** 20;
  return {
    cached: rate(flows, (flow) => cache.judge(flow, set)),
    uncached: rate(flows, (flow) => judge(flow, set, defaultPolicyOptions)),
    buildMs,
    changeMs: Object.fromEntries(
      changeKinds.map((kind) => [kind, changeMs(kind, load.pods, set, cache)]),
    ) as Figures['changeMs'],
    mib,
  };
}

for (const { pods, policies } of sizes) {
  const { cached, uncached, buildMs, changeMs: change, mib } = measure(pods, policies);
  process.stdout.write(
    `${pods} pods, ${policies} policies: ${rounded(cached)} verdicts/s from the cache, ${rounded(uncached)} without, ` +
      `built in ${buildMs.toFixed(1)} ms, ${mib.toFixed(0)} MiB with ${flowCount} verdicts cached; ` +
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
    printBudgets(budget);
  }
}

function rounded(perSecond: number): string {
  return Math.round(perSecond).toLocaleString('en');
}
