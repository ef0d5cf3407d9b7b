import type { Logger } from 'pino';
import t from 'tap';
import { Untold } from '../../../../agent/capture/ebpf/untold.ts';

const second = 1_000_000;

t.test('what found no room in the ring is said once a minute, all of it', async (t) => {
  const said: unknown[] = [];
  const untold = new Untold({ warn: (told: object) => said.push(told) } as unknown as Logger);
  untold.add({ translations: 0, dns: 0 }, 0);
  t.same(said, []);
  untold.add({ translations: 3, dns: 0 }, second);
  untold.add({ translations: 2, dns: 1 }, 2 * second);
  t.same(said, [{ translations: 3, dns: 0 }]);
  untold.add({ translations: 0, dns: 1 }, 61 * second);
  untold.add({ translations: 0, dns: 0 }, 200 * second);
  t.same(said, [
    { translations: 3, dns: 0 },
    { translations: 2, dns: 2 },
  ]);
});
