// Whether packets are missed while our programs move: because a filter comes and goes, an interface goes down and up, another
// program attaches in front of ours, or many interfaces appear at once.
import { execFileSync } from 'node:child_process';
import t from 'tap';

const script = new URL('moves.ts', import.meta.url).pathname;

function outcomeOf<Outcome>(name: string): Outcome {
  const unshare = process.getuid?.() === 0 ? '-n' : '-rn';
  const words = [unshare, '--kill-child', process.execPath, script, name];
  return JSON.parse(execFileSync('unshare', words, { encoding: 'utf8', timeout: 60_000 })) as Outcome;
}

t.test('no packet is missed while the program changes between TCX and the tap under traffic', async (t) => {
  type Outcome = { summaries: string[]; passed: number; seen: number; gapFreeSinceUs: number };
  const { summaries, passed, seen, gapFreeSinceUs } = outcomeOf<Outcome>('under traffic');
  t.same(summaries, Array.from({ length: 5 }, () => ['packet tap on 1 interface', 'TCX on 1 interface']).flat());
  t.ok(seen >= passed, `${passed} passed, ${seen} were seen`);
  t.comment(`${seen - passed} were counted twice`);
  t.equal(gapFreeSinceUs, 0);
});

t.test('an interface that goes down and up before its last rows are read is watched again', async (t) => {
  t.same(outcomeOf('flap'), { before: 0, after: 0, later: 0, summary: 'TCX on 1 interface' });
});

t.test(
  'our program moves in front of another; if the other insists, the interface does not count as fully seen',
  async (t) => {
    const first = { isAhead: false, seesFromPod: true, missing: 0 };
    const insisted = { isAhead: true, seesFromPod: false, missing: 0 };
    t.same(outcomeOf('front'), { outcomes: [first, first, first, insisted, insisted], atEnd: true, left: 0 });
  },
);

t.test(
  'a TCX program after ours hides no packet from it; one that came and went between two drains counts as a gap',
  async (t) => {
    t.same(outcomeOf('towards'), [
      { missing: 0, summary: 'packet tap on 1 interface' },
      { missing: 0, summary: 'TCX on 1 interface' },
      { missing: 0, summary: 'TCX on 1 interface; gaps: 1' },
    ]);
  },
);

t.test('a filter after ours is found within 50 refreshes even without a notification', async (t) => {
  const [before, ...refreshes] = outcomeOf<number[]>('no notification');
  t.equal(before, 0);
  t.equal(refreshes.length, 3);
  for (const count of refreshes) t.ok(count > 0 && count <= 50, `after ${count} refreshes`);
});

t.test('many interfaces are watched in both directions, and nothing is left at the end', async (t) => {
  t.same(outcomeOf('many'), { seen: 20, summary: 'TCX on 10 interfaces', left: 0 });
});
