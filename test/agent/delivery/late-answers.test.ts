// Batches that leave the queue while they are in flight: the collector may store them, so only its answer decides.
import t from 'tap';
import { PacketAccounting } from '../../../accounting/accounting.ts';
import { BatchQueue } from '../../../agent/delivery/queue.ts';
import { emptyDnsReport } from '../../../model/dns-answer.ts';
import { record, t0 } from '../../scene/records.ts';

const limits = { maxBatchRecords: 2, maxQueuedRecords: 2 };

function scene(packets: number) {
  const accounting = new PacketAccounting();
  accounting.seen(packets, packets * 74);
  return { accounting, queue: new BatchQueue(accounting, limits) };
}

const drainOf = (count: number) => Array.from({ length: count }, (_, i) => record({ initiatorPort: 1000 + i }));

t.test('a batch that was sent and then pushed out of the queue is stored if it is acknowledged', async (t) => {
  const { accounting, queue } = scene(4);
  queue.enqueue(drainOf(2), emptyDnsReport, t0);
  t.same(
    [...queue.after(0)].map(({ sequence }) => sequence),
    [1],
  );
  queue.enqueue(drainOf(2), emptyDnsReport, t0 + 1);
  t.match(accounting.snapshot(), { stored: 0, lost: {}, pending: 4 }, 'undecided until the answer');
  t.same(
    [...queue.after(1)].map(({ sequence }) => sequence),
    [2],
  );
  queue.acknowledge(1);
  queue.acknowledge(2);
  t.match(accounting.snapshot(), { stored: 4, lost: {}, pending: 0 });
  t.match(accounting.snapshot().bytes, { stored: 4 * 74, lost: {}, pending: 0 });
  t.same(queue.unacknowledged, { batches: 0, records: 0 });
});

t.test('it is lost as rejected if the collector refuses it', async (t) => {
  const { accounting, queue } = scene(4);
  queue.enqueue(drainOf(2), emptyDnsReport, t0);
  queue.after(0).next();
  queue.enqueue(drainOf(2), emptyDnsReport, t0 + 1);
  queue.reject(1);
  t.same(accounting.snapshot().lost, { rejected: 2 });
});

t.test('it is lost if the stream ends without an answer, and counted once', async (t) => {
  const { accounting, queue } = scene(4);
  queue.enqueue(drainOf(2), emptyDnsReport, t0);
  queue.after(0).next();
  queue.enqueue(drainOf(2), emptyDnsReport, t0 + 1);
  queue.streamEnded();
  queue.streamEnded();
  t.same(accounting.snapshot().lost, { 'queue-full': 2 });
  t.same(
    [...queue.after(0)].map(({ sequence }) => sequence),
    [2],
    'only the batch that is in memory is sent again',
  );
});

t.test(
  'after the stream ended, batches that were never sent are dropped before those that may be stored',
  async (t) => {
    const accounting = new PacketAccounting();
    accounting.seen(8, 0);
    const queue = new BatchQueue(accounting, { maxBatchRecords: 2, maxQueuedRecords: 4 });
    queue.enqueue(drainOf(2), emptyDnsReport, t0);
    queue.after(0).next();
    queue.streamEnded();
    for (let i = 1; i < 4; i++) queue.enqueue(drainOf(2), emptyDnsReport, t0 + i);
    t.same(
      [...queue.after(0)].map(({ sequence }) => sequence),
      [1, 4],
    );
    t.same(accounting.snapshot().lost, { 'queue-full': 4 });
  },
);

t.test('only as many batches as may be sent are in flight', async (t) => {
  const { accounting, queue } = scene(6);
  for (let i = 0; i < 3; i++) queue.enqueue(drainOf(2), emptyDnsReport, t0 + i);
  t.match(accounting.snapshot().lost, { 'queue-full': 4 }, 'none was sent');
  t.same([...queue.after(0, 0)], []);
  queue.enqueue(drainOf(2), emptyDnsReport, t0 + 3);
  t.match(accounting.snapshot().lost, { 'queue-full': 6 }, 'the third was not sent either');
});

/** Small and fast random numbers that repeat for a seed (mulberry32). */
function randomsOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

t.test('in any order of sending, answers, overflow and broken streams, each packet is counted once', async (t) => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = randomsOf(seed);
    const accounting = new PacketAccounting();
    const queue = new BatchQueue(accounting, { maxBatchRecords: 2, maxQueuedRecords: 6 });
    const stored = new Set<number>();
    let [seen, inFlight, sentUpTo] = [0, [] as number[], 0];
    let answered = 0;
    const answer = (how: 'stored' | 'refused') => {
      const sequence = inFlight.shift();
      if (sequence === undefined) return;
      if (how === 'stored' || stored.has(sequence)) {
        stored.add(sequence);
        queue.acknowledge(sequence);
      } else queue.reject(sequence);
      answered += 1;
    };
    const send = () => {
      for (const { sequence } of queue.after(sentUpTo, 4 - inFlight.length)) {
        inFlight.push(sequence);
        sentUpTo = sequence;
      }
    };
    for (let step = 0; step < 60; step++) {
      const kind = random(8);
      if (kind < 3) {
        const count = 1 + random(4);
        accounting.seen(count, 0);
        seen += count;
        queue.enqueue(drainOf(count), emptyDnsReport, t0 + step);
      } else if (kind < 5) send();
      else if (kind < 6) answer('stored');
      else if (kind < 7) answer('refused');
      else {
        queue.streamEnded();
        [inFlight, sentUpTo] = [[], 0];
      }
      const { pending, stored: count, lost } = accounting.snapshot();
      const lostCount = Object.values(lost).reduce((sum, one) => sum + one, 0);
      if (pending < 0 || count + lostCount + pending !== seen) t.fail(`seed ${seed}, step ${step}`);
    }
    while (queue.unacknowledged.batches > 0) {
      send();
      answer('stored');
    }
    const { pending, lost } = accounting.snapshot();
    t.equal(pending, 0, `seed ${seed}: ${answered} answers, ${JSON.stringify(lost)} lost`);
  }
});
