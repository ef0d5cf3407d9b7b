import t from 'tap';
import { budgetLine, isBudgetLine, percentile } from '../../bench/budget.ts';

t.test('the line of a budget has the form that scripts read', async (t) => {
  t.equal(
    budgetLine({ name: 'ebpf-packet-vs-empty', figure: 2.2, unit: 'x', limit: 2.4, better: 'lower' }),
    'budget ebpf-packet-vs-empty 2.20 x limit 2.40 met',
  );
  t.equal(
    budgetLine({ name: 'replay-vs-nfpcapd', figure: 0.83, unit: 'x', limit: 1, better: 'higher' }),
    'budget replay-vs-nfpcapd 0.83 x limit 1.00 missed',
  );
  t.ok(isBudgetLine('budget replay-vs-nfpcapd 0.83 x limit 1.00 missed'));
  t.notOk(isBudgetLine('budget that is no line of figures'));
  t.match(budgetLine({ name: 'records', figure: 200_000, unit: '/s', limit: 200_000, better: 'higher' }), / met$/);
});

t.test('a percentile is one of the figures, by nearest rank', async (t) => {
  const figures = Array.from({ length: 100 }, (_, i) => 100 - i);
  t.equal(percentile(figures, 0.5), 50);
  t.equal(percentile(figures, 0.99), 99);
  t.equal(percentile([7], 0.99), 7);
});
