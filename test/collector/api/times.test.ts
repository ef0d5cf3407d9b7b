import t from 'tap';
import { parseTimeUs } from '../../../collector/api/times.ts';
import { second, t0 } from '../../scene/records.ts';

t.test('a duration is subtracted from now', async (t) => {
  t.equal(parseTimeUs('10m', t0), t0 - 600 * second);
  t.equal(parseTimeUs('3d', t0), t0 - 3 * 86_400 * second);
  t.equal(parseTimeUs('250ms', t0), t0 - second / 4);
});

t.test('an RFC 3339 time is read with its zone, to the microsecond', async (t) => {
  t.equal(parseTimeUs('2026-01-01T00:00:00Z', 0), t0);
  t.equal(parseTimeUs('2026-01-01T01:30:00+01:30', 0), t0);
  t.equal(parseTimeUs('2026-01-01t00:00:00.5z', 0), t0 + second / 2);
  t.equal(parseTimeUs('2026-01-01T00:00:00.000001Z', 0), t0 + 1);
});

t.test('anything else is not a time', async (t) => {
  for (const text of ['', 'now', '10', '10 m', '2026-01-01', '2026-01-01T00:00:00', '2026-02-30T00:00:00Z', '-5m']) {
    t.equal(parseTimeUs(text, t0), undefined, text);
  }
});
