import type { Logger } from 'pino';
import t from 'tap';
import { MissedEvents } from '../../../../agent/capture/ebpf/missed-events.ts';

const second = 1_000_000;

t.test('events that were dropped because the ring was full are logged once a minute, with all counts', async (t) => {
  const logged: unknown[] = [];
  const missedEvents = new MissedEvents({ warn: (fields: object) => logged.push(fields) } as unknown as Logger);
  missedEvents.add({ translations: 0, dns: 0 }, 0);
  t.same(logged, []);
  missedEvents.add({ translations: 3, dns: 0 }, second);
  missedEvents.add({ translations: 2, dns: 1 }, 2 * second);
  t.same(logged, [{ translations: 3, dns: 0 }]);
  missedEvents.add({ translations: 0, dns: 1 }, 61 * second);
  missedEvents.add({ translations: 0, dns: 0 }, 200 * second);
  t.same(logged, [
    { translations: 3, dns: 0 },
    { translations: 2, dns: 2 },
  ]);
});
