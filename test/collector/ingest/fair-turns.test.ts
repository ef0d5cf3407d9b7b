// Turns of agents are counted, not timed.
import fc from 'fast-check';
import t from 'tap';
import { FairTurns } from '../../../collector/ingest/fair-turns.ts';

/** Runs turns one by one, and records which agent had each. */
class Stepper {
  readonly had: string[] = [];
  readonly turns: FairTurns;
  #next: (() => void) | undefined;

  constructor() {
    this.turns = new FairTurns((run) => {
      this.#next = run;
    });
  }

  want(agent: string, times: number, cost = 1): void {
    for (let i = 0; i < times; i++) void this.turns.take(agent, cost).then(() => this.had.push(agent));
  }

  async step(times = 1): Promise<void> {
    for (let i = 0; i < times; i++) {
      const run = this.#next;
      this.#next = undefined;
      run?.();
      await Promise.resolve();
    }
  }
}

t.test('an agent that wants one turn gets it before an agent that wants a thousand has two', async (t) => {
  const stepper = new Stepper();
  stepper.want('bad', 1_000);
  await stepper.step(100);
  stepper.want('honest', 1);
  await stepper.step(2);
  t.ok(stepper.had.slice(100).includes('honest'), stepper.had.slice(100).join());
});

t.test('an agent whose turns cost more gets fewer', async (t) => {
  const stepper = new Stepper();
  stepper.want('dear', 100, 50);
  stepper.want('cheap', 100, 5);
  await stepper.step(110);
  const dear = stepper.had.filter((agent) => agent === 'dear').length;
  t.ok(dear >= 10 && dear <= 12, `${dear} of 110 turns`);
});

t.test('an agent that was idle does not get turns for that time', async (t) => {
  const stepper = new Stepper();
  stepper.want('one', 100);
  await stepper.step(100);
  stepper.want('one', 50);
  stepper.want('other', 50);
  await stepper.step(20);
  const latest = stepper.had.slice(100);
  t.equal(latest.filter((agent) => agent === 'other').length, 10, latest.join());
});

t.test('every wish gets its turn, in order for each agent, and the shares differ by at most one turn', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 8 }), async (wishes) => {
      const stepper = new Stepper();
      for (const [agent, times] of wishes.entries()) stepper.want(String(agent), times);
      const total = wishes.reduce((sum, times) => sum + times, 0);
      for (let i = 0; i < total; i++) {
        await stepper.step();
        const counts = wishes.map((_, agent) => stepper.had.filter((one) => one === String(agent)).length);
        // Who still waits has as many turns as anybody, but for the turn that runs.
        const waiting = counts.filter((count, agent) => count < wishes[agent]!);
        if (waiting.length > 0 && Math.max(...counts) > Math.min(...waiting) + 1) return false;
      }
      return stepper.had.length === total;
    }),
  );
  t.pass();
});
