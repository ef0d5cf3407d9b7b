import t from 'tap';
import { equalShare } from '../../../collector/findings/equal-share.ts';

t.test('every user keeps the same at most, and who has less keeps all', async (t) => {
  t.equal(equalShare([1, 2, 1000], 100), 97);
  t.equal(equalShare([50, 50, 1000], 100), 33);
  t.equal(equalShare([40, 40, 1000, 1000], 100), 25);
  t.equal(equalShare([10, 40, 1000, 1000], 100), 30);
  t.equal(equalShare([1, 1, 1], 2), 0);
  t.equal(equalShare([3, 7], 10), 7, 'nobody has to give anything up');
  t.equal(equalShare([], 10), 10);
});
