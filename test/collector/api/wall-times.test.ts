import t from 'tap';
import type { ApiDataSource, Change } from '../../../collector/api/api.ts';
import { withWallTimes } from '../../../collector/api/wall-times.ts';
import type { ListQuery } from '../../../collector/store/store.ts';
import { status } from '../../scene/api.ts';
import { connection } from '../../scene/connections.ts';
import { second, t0 } from '../../scene/records.ts';
import { finding } from '../store/store-suite.ts';

const hour = 3600 * second;

/** A source with one finding and one connection, and what it is asked. */
function scene(wallOffsetUs: number) {
  const asked: ListQuery[] = [];
  const listeners = new Set<(change: Change) => void>();
  const source: ApiDataSource = {
    findings: async (query) => {
      asked.push(query);
      return [finding()];
    },
    connections: async (query) => {
      asked.push(query);
      return [connection()];
    },
    status: async () => status,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return { shown: withWallTimes(source, () => wallOffsetUs), asked, listeners };
}

t.test('answers are on the wall clock, and queries are converted to the clock of the store', async (t) => {
  for (const offsetUs of [-hour, 0, hour]) {
    const { shown, asked } = scene(offsetUs);
    const query = { last: 5, sinceUs: t0 + offsetUs, untilUs: t0 + second + offsetUs, kinds: ['bypass'] as const };
    const [item] = await shown.findings(query);
    t.match(item, { firstSeenUs: finding().firstSeenUs + offsetUs, lastSeenUs: finding().lastSeenUs + offsetUs });
    const [flow] = await shown.connections(query);
    t.match(flow, { startUs: connection().startUs + offsetUs, endUs: connection().endUs + offsetUs });
    const expected = { last: 5, sinceUs: t0, untilUs: t0 + second, kinds: ['bypass'] };
    t.same(asked, [expected, expected]);
  }
});

t.test('changes that a follower gets are on the wall clock too', async (t) => {
  const { shown, listeners } = scene(hour);
  const changes: Change[] = [];
  const end = shown.subscribe((change) => changes.push(change));
  const gone: Change = { type: 'gone', of: 'finding', id: 'f1' };
  for (const listener of listeners) {
    listener({ type: 'finding', finding: finding() });
    listener({ type: 'connection', connection: connection() });
    listener(gone);
  }
  t.match(changes, [
    { finding: { firstSeenUs: finding().firstSeenUs + hour } },
    { connection: { startUs: connection().startUs + hour } },
    gone,
  ]);
  end();
  t.equal(listeners.size, 0);
});
