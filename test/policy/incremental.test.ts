// Compares the incremental policy engine with one that is rebuilt after each change of a random cluster.
// INCREMENTAL_SEED repeats a run, INCREMENTAL_CHANGES sets the number of changes.
import t from 'tap';
import type { Address } from '../../model/address.ts';
import type { Labels, Pod } from '../../model/kubernetes.ts';
import type { Flow, Party, Verdict } from '../../model/verdict.ts';
import type { PolicyOptions } from '../../policy/options.ts';
import type { PolicySet } from '../../policy/policy-set.ts';
import { type Difference, differenceText, firstDifference, Incremental } from './incremental/compare.ts';

const seed = Number(process.env.INCREMENTAL_SEED ?? Date.now() % 1_000_000_000);
const changes = Number(process.env.INCREMENTAL_CHANGES ?? 10_000);

const plantedIn = { seed: 1, changes: 1_000 };

/** The random changes must include each of these often. */
const oftenMade = [
  ...['policy put', 'policy replaced', 'broken policy put', 'broken policy replaced', 'policy removed'],
  ...['pod put', 'pod replaced', 'pod removed', 'namespace relabelled', 'namespace removed', 'object repeated'],
  ...['pod relabelled', 'pod with other addresses', 'pod with other ports', 'pod on another node'],
];
const oftenReturned = ['allowed', 'undeclared', 'denied', 'unknown', 'cached', 'isolated'];

t.test(`after each of ${changes} random changes the verdicts equal those of a rebuilt engine`, async (t) => {
  t.comment(`INCREMENTAL_SEED=${seed}`);
  const counts = new Map<string, number>();
  const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1);
  const returnedBefore = new WeakSet<Verdict>();
  const found = firstDifference(
    new Incremental(),
    { seed, changes },
    {
      change: ({ what, object }) => {
        count(what);
        count(object.kind);
      },
      verdict: (verdict) => {
        count(verdict.verdict);
        if (returnedBefore.has(verdict)) count('cached');
        if (verdict.sides.some((side) => 'isolatedBy' in side)) count('isolated');
        returnedBefore.add(verdict);
      },
    },
  );
  if (found !== undefined) {
    for (const line of differenceText(found).split('\n')) t.comment(line);
    t.fail(`they differ after change ${found.position}, ${found.change.what} (INCREMENTAL_SEED=${seed})`);
    return;
  }
  for (const [what, times] of [...counts].sort()) t.comment(`${what}: ${times}`);
  for (const what of oftenMade) t.ok((counts.get(what) ?? 0) > changes / 1000, `often enough: ${what}`);
  for (const what of oftenReturned) t.ok((counts.get(what) ?? 0) > changes / 20, `often enough: ${what}`);
});

t.test('the changes that expose the faulty engines find no difference for the correct one', async (t) => {
  const found = firstDifference(new Incremental(), plantedIn);
  t.equal(found && differenceText(found), undefined);
});

t.test('an engine that ignores changed namespace labels is detected', async (t) => {
  class IgnoresLabels extends Incremental {
    readonly #known = new WeakMap<Pod, Map<Address, Party>>();

    override party(pod: Pod, address: Address, namespaceLabels: Labels, labelsKnown: boolean): Party {
      const byAddress = this.#known.get(pod) ?? new Map<Address, Party>();
      this.#known.set(pod, byAddress);
      const party = byAddress.get(address) ?? super.party(pod, address, namespaceLabels, labelsKnown);
      byAddress.set(address, party);
      return party;
    }
  }
  t.match(differenceText(detect(new IgnoresLabels())), /namespaceLabels/);
});

t.test('an engine that answers questions about the past with the newest policies is detected', async (t) => {
  class NewestOnly extends Incremental {
    override setAt(): PolicySet {
      return super.setAt(Number.POSITIVE_INFINITY);
    }
  }
  const { position, question } = detect(new NewestOnly());
  t.ok(question.policiesAt < position);
});

t.test('an engine that keeps a verdict after a policy change is detected', async (t) => {
  class FirstOnly extends Incremental {
    readonly #first = new WeakMap<Party, PolicySet>();

    override judge(flow: Flow, set: PolicySet, options: PolicyOptions): Verdict {
      const first = this.#first.get(flow.initiator) ?? set;
      this.#first.set(flow.initiator, first);
      return super.judge(flow, first, options);
    }
  }
  const { question, caseText } = detect(new FirstOnly());
  t.ok(question.policiesAt > 0, caseText);
});

function detect(faulty: Incremental): Difference {
  const found = firstDifference(faulty, plantedIn);
  if (found === undefined) throw new Error('the faulty engine was not detected');
  return found;
}
