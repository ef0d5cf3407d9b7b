// The engine that is told of changes against one that is built anew, over a cluster that changes by chance.
// INCREMENTAL_SEED asks the same again, INCREMENTAL_CHANGES more.
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

/** Of these the changes must never run short. */
const oftenMade = [
  ...['policy put', 'policy replaced', 'broken policy put', 'broken policy replaced', 'policy removed'],
  ...['pod put', 'pod replaced', 'pod removed', 'namespace relabelled', 'namespace removed', 'told again'],
  ...['pod relabelled', 'pod with other addresses', 'pod with other ports', 'pod on another node'],
];
const oftenReturned = ['allowed', 'undeclared', 'denied', 'unknown', 'said before', 'isolated'];

t.test(`after each of ${changes} random changes the verdicts equal those of an engine built anew`, async (t) => {
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
        if (returnedBefore.has(verdict)) count('said before');
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

t.test('the changes that find out the wrong engines do not find out the right one', async (t) => {
  const found = firstDifference(new Incremental(), plantedIn);
  t.equal(found && differenceText(found), undefined);
});

t.test('an engine that overlooks the labels of a namespace is found out', async (t) => {
  class Overlooking extends Incremental {
    readonly #known = new WeakMap<Pod, Map<Address, Party>>();

    override party(pod: Pod, address: Address, namespaceLabels: Labels, labelsKnown: boolean): Party {
      const byAddress = this.#known.get(pod) ?? new Map<Address, Party>();
      this.#known.set(pod, byAddress);
      const party = byAddress.get(address) ?? super.party(pod, address, namespaceLabels, labelsKnown);
      byAddress.set(address, party);
      return party;
    }
  }
  t.match(differenceText(foundOut(new Overlooking())), /namespaceLabels/);
});

t.test('an engine whose old sets change with the newest is found out by a question of a while ago', async (t) => {
  class Forgetful extends Incremental {
    override setAt(): PolicySet {
      return super.setAt(Number.POSITIVE_INFINITY);
    }
  }
  const { position, question } = foundOut(new Forgetful());
  t.ok(question.policiesAt < position);
});

t.test('an engine that keeps a verdict although a policy changed is found out', async (t) => {
  class Stubborn extends Incremental {
    readonly #first = new WeakMap<Party, PolicySet>();

    override judge(flow: Flow, set: PolicySet, options: PolicyOptions): Verdict {
      const first = this.#first.get(flow.initiator) ?? set;
      this.#first.set(flow.initiator, first);
      return super.judge(flow, first, options);
    }
  }
  const { question, whole } = foundOut(new Stubborn());
  t.ok(question.policiesAt > 0, whole);
});

function foundOut(wrong: Incremental): Difference {
  const found = firstDifference(wrong, plantedIn);
  if (found === undefined) throw new Error('the wrong engine was not found out');
  return found;
}
