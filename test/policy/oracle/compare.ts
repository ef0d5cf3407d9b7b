// Asks an engine and the naive one the same questions about random clusters, until they differ.
import type { Flow, Verdict } from '../../../model/verdict.ts';
import { judge } from '../../../policy/judge.ts';
import { compilePolicies, type PolicySet } from '../../../policy/policy-set.ts';
import type { Case, RawPolicy } from './case.ts';
import { Chance } from './chance.ts';
import { difference } from './difference.ts';
import { oracle } from './oracle.ts';
import { randomCluster, randomQuestion } from './random-cluster.ts';
import { shrunk } from './smaller.ts';
import { translated } from './translate.ts';

export type Engine = { compile: (policies: readonly RawPolicy[]) => PolicySet; judge: typeof judge };
export const engine: Engine = { compile: (policies) => compilePolicies(policies.map(translated)), judge };

const questionsOfACluster = 50;

/** The first case on which they differ. Calls `see` with each verdict on which they agree. */
export function firstDifference(
  tested: Engine,
  { seed, verdicts }: { seed: number; verdicts: number },
  see: (verdict: Verdict) => void = () => {},
): Case | undefined {
  for (let asked = 0; asked < verdicts; asked += questionsOfACluster) {
    const chance = new Chance(seed + asked);
    const cluster = randomCluster(chance);
    const set = tested.compile(cluster.policies);
    for (let i = 0; i < questionsOfACluster; i++) {
      const one = randomQuestion(chance, cluster);
      const verdict = tested.judge(flowOf(one), set, one.options);
      if (difference(verdict, oracle(one)) !== undefined) return one;
      see(verdict);
    }
  }
  return undefined;
}

export function differenceOf(tested: Engine, one: Case): string | undefined {
  return difference(tested.judge(flowOf(one), tested.compile(one.policies), one.options), oracle(one));
}

export function smallest(tested: Engine, found: Case): Case {
  return shrunk(found, (smaller) => differenceOf(tested, smaller) !== undefined);
}

function flowOf({ initiator, responder, protocol, port }: Case): Flow {
  return { initiator, responder, protocol, ...(port !== undefined && { port }) };
}
