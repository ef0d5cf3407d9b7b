// What becomes of packets while our programs are moved: by a filter that comes and goes, by an interface that goes down and
// up, by somebody who wants to be ahead of ours, by many interfaces at once.
import { execFileSync } from 'node:child_process';
import t from 'tap';

const script = new URL('moves.ts', import.meta.url).pathname;

function outcomeOf<Outcome>(name: string): Outcome {
  const unshare = process.getuid?.() === 0 ? '-n' : '-rn';
  const words = [unshare, '--kill-child', process.execPath, script, name];
  return JSON.parse(execFileSync('unshare', words, { encoding: 'utf8', timeout: 60_000 })) as Outcome;
}

t.test('between TCX and the tap, back and forth under traffic: nothing passes unseen', async (t) => {
  type Outcome = { summaries: string[]; passed: number; seen: number; gapFreeSinceUs: number };
  const { summaries, passed, seen, gapFreeSinceUs } = outcomeOf<Outcome>('under traffic');
  t.same(summaries, Array.from({ length: 5 }, () => ['tap 1', 'tcx 1']).flat());
  t.ok(seen >= passed, `${passed} passed, ${seen} were seen`);
  t.comment(`${seen - passed} were counted twice`);
  t.equal(gapFreeSinceUs, 0);
});

t.test('an interface that is down and up again before its last rows are read is watched again', async (t) => {
  t.same(outcomeOf('flap'), { before: 0, after: 0, later: 0, summary: 'tcx 1' });
});

t.test(
  'ours goes ahead of who comes ahead of it; of one who insists, it is told that ours does not see all',
  async (t) => {
    const first = { isAhead: false, seesFromPod: true, missing: 0 };
    const insisted = { isAhead: true, seesFromPod: false, missing: 0 };
    t.same(outcomeOf('front'), { outcomes: [first, first, first, insisted, insisted], atEnd: true, left: 0 });
  },
);

t.test('a TCX program behind ours hides nothing from it; of one that came and went it is not known', async (t) => {
  t.same(outcomeOf('towards'), [
    { missing: 0, summary: 'tap 1' },
    { missing: 0, summary: 'tcx 1' },
    { missing: 0, summary: 'tcx 1; gaps 1' },
  ]);
});

t.test('who stands behind ours and was not told of is known within 50 looks', async (t) => {
  const [before, ...looks] = outcomeOf<number[]>('untold');
  t.equal(before, 0);
  t.equal(looks.length, 3);
  for (const some of looks) t.ok(some > 0 && some <= 50, `after ${some} looks`);
});

t.test('many interfaces: each is watched both summary, and nothing is left at the end', async (t) => {
  t.same(outcomeOf('many'), { seen: 20, summary: 'tcx 10', left: 0 });
});
