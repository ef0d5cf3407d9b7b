import fc from 'fast-check';
import t from 'tap';
import { Sequences } from '../../../collector/store/duckdb/sequences.ts';

t.test('contains exactly the numbers that were added, in any order', async (t) => {
  const numbers = fc.array(
    fc.record({ from: fc.integer({ min: 1, max: 60 }), length: fc.integer({ min: 0, max: 9 }) }),
  );
  fc.assert(
    fc.property(numbers, (ranges) => {
      const sequences = new Sequences();
      const expected = new Set<number>();
      for (const { from, length } of ranges) {
        sequences.addRange(from, from + length);
        for (let i = from; i <= from + length; i++) expected.add(i);
      }
      for (let i = 0; i < 75; i++) if (sequences.has(i) !== expected.has(i)) return false;
      return true;
    }),
  );
  t.pass();
});

t.test('with too many gaps, the oldest gaps count as stored; newer numbers stay exact', async (t) => {
  const sequences = new Sequences();
  for (let sequence = 1; sequence <= 100_001; sequence += 2) sequences.add(sequence);
  t.equal(sequences.has(2), true, 'the agent has dropped it long ago');
  t.equal(sequences.has(100_000), false);
  t.equal(sequences.has(100_001), true);
  t.equal(sequences.has(99_000), false);
});
