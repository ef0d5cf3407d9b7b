// Compares the policy engine with the naive one on small random clusters. ORACLE_SEED repeats a run, ORACLE_VERDICTS sets
// the number of verdicts.
import t from 'tap';
import type { Case, RawPolicy } from './oracle/case.ts';
import { differenceOf, type Engine, engine, firstDifference, smallest } from './oracle/compare.ts';
import { caseText } from './oracle/difference.ts';

const seed = Number(process.env.ORACLE_SEED ?? Date.now() % 1_000_000_000);
const verdicts = Number(process.env.ORACLE_VERDICTS ?? 200_000);

/** The random clusters must give each of these often. */
const oftenSeen = [
  ...['allowed', 'undeclared', 'denied', 'unknown'],
  ...['allowed by Admin', 'denied by Admin', 'allowed by NetworkPolicy', 'denied by NetworkPolicy'],
  ...['allowed by Baseline', 'denied by Baseline', 'allowed by always'],
  ...['unknown: broken-policy', 'unknown: ambiguous-priority', 'unknown: address-not-known'],
  ...['unknown: names-not-known', 'unknown: node-not-known', 'unknown: namespace-labels-not-known'],
];

t.test(`the engine and the naive one agree on ${verdicts} verdicts, each side and its reasons`, async (t) => {
  t.comment(`ORACLE_SEED=${seed}`);
  const counts = new Map<string, number>();
  const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1);
  const found = firstDifference(engine, { seed, verdicts }, ({ verdict, sides }) => {
    count(verdict);
    for (const side of sides) {
      if (side.verdict === 'unknown') count(`unknown: ${side.why.reason}`);
      else if ('decidedBy' in side) count(`${side.verdict} by ${side.decidedBy.tier}`);
      else if (side.verdict === 'denied') count('denied by NetworkPolicy');
    }
  });
  if (found !== undefined) {
    const small = smallest(engine, found);
    for (const line of caseText(small).split('\n')) t.comment(line);
    t.fail(`${differenceOf(engine, small)} (ORACLE_SEED=${seed})`);
    return;
  }
  for (const [what, times] of [...counts].sort()) t.comment(`${what}: ${times}`);
  for (const what of oftenSeen) t.ok((counts.get(what) ?? 0) > verdicts / 200, `often enough: ${what}`);
});

t.test('an engine that ignores endPort is detected, and the case shrinks to one rule', async (t) => {
  const small = smallestOf({ ...engine, compile: (policies) => engine.compile(withoutEndPorts(policies)) });
  t.equal(rulesOf(small), 1, caseText(small));
  t.match(caseText(small), /endPort/);
});

t.test('an engine that ignores priorities is detected, and the case shrinks to two policies', async (t) => {
  const alike = (policy: RawPolicy) => (policy.kind === 'NetworkPolicy' ? policy : { ...policy, priority: 0 });
  const small = smallestOf({ ...engine, compile: (policies) => engine.compile(policies.map(alike)) });
  t.equal(small.policies.length, 2, caseText(small));
  t.equal(rulesOf(small), 2);
});

function smallestOf(faulty: Engine): Case {
  const found = firstDifference(faulty, { seed: 2, verdicts: 20_000 });
  if (found === undefined) throw new Error('the faulty engine was not detected');
  return smallest(faulty, found);
}

function withoutEndPorts(policies: readonly RawPolicy[]): RawPolicy[] {
  return JSON.parse(JSON.stringify(policies, (key, value) => (key === 'endPort' ? undefined : value)));
}

function rulesOf({ policies }: Case): number {
  const lists = policies.flatMap((policy) => {
    const { ingress = [], egress = [] } = policy.kind === 'NetworkPolicy' ? policy.spec : policy;
    return [...ingress, ...egress];
  });
  return lists.length;
}
