import t from 'tap';
import { PacketAccounting } from '../../../accounting/accounting.ts';
import { BatchQueue } from '../../../agent/delivery/queue.ts';
import { emptyDnsReport } from '../../../model/dns-answer.ts';
import { flowIngestDefinition } from '../../../proto/wire.ts';
import { ip, record, t0 } from '../../scene/records.ts';

function records(count: number) {
  return Array.from({ length: count }, (_, i) => record({ initiatorPort: 1000 + i }));
}

t.test('a drain is split into batches, and only the last one covers its time', async (t) => {
  const queue = new BatchQueue(new PacketAccounting(), { maxBatchRecords: 4, maxQueuedRecords: 100 });
  queue.enqueue(records(3), emptyDnsReport, t0);
  queue.enqueue(records(9), emptyDnsReport, t0 + 5);
  const batches = [...queue.after(0)];
  t.same(
    batches.map(({ sequence, count, coveredUntilUs }) => [sequence, count, coveredUntilUs - t0]),
    [
      [1, 3, 0],
      [2, 4, 0],
      [3, 4, 0],
      [4, 1, 5],
    ],
  );
});

t.test('packets of acknowledged batches are stored, those of refused ones are lost', async (t) => {
  const accounting = new PacketAccounting();
  const each = record();
  const bytes = each.bytes.forward + each.bytes.reverse;
  accounting.seen(5, 5 * bytes);
  const queue = new BatchQueue(accounting, { maxBatchRecords: 2, maxQueuedRecords: 100 });
  queue.enqueue(records(5), emptyDnsReport, t0);
  queue.acknowledge(1);
  queue.acknowledge(1);
  queue.reject(2);
  t.match(accounting.snapshot(), { stored: 2, lost: { rejected: 2 }, pending: 1 });
  t.ok(bytes > 0);
  t.match(accounting.snapshot().bytes, { stored: 2 * bytes, lost: { rejected: 2 * bytes }, pending: bytes });
  t.same(queue.unacknowledged, { batches: 1, records: 1 });
});

t.test('above maxQueuedRecords, the oldest batch is dropped and counted as lost', async (t) => {
  const accounting = new PacketAccounting();
  accounting.seen(6, 6 * 60);
  const queue = new BatchQueue(accounting, { maxBatchRecords: 2, maxQueuedRecords: 4 });
  queue.enqueue(records(6), emptyDnsReport, t0);
  t.same(
    [...queue.after(0)].map((batch) => batch.sequence),
    [2, 3],
  );
  t.same(accounting.snapshot().lost, { 'queue-full': 2 });
});

t.test('names are in the first batch of their drain, or alone, and count as records for the limits', async (t) => {
  const names = [1, 2].map((last) => ({ name: 'a', address: ip(`192.0.2.${last}`), atUs: t0, ttlSeconds: 9 }));
  const queue = new BatchQueue(new PacketAccounting(), { maxBatchRecords: 2, maxQueuedRecords: 6 });
  queue.enqueue(records(3), { ...emptyDnsReport, answers: names }, t0);
  queue.enqueue([], emptyDnsReport, t0 + 1);
  queue.enqueue([], { ...emptyDnsReport, answers: names }, t0 + 2);
  t.same(
    [...queue.after(0)].map(({ packed, coveredUntilUs }) => {
      const { records, names } = flowIngestDefinition().Stream.requestDeserialize(packed);
      return [records?.protocol.length, names?.name.length ?? 0, coveredUntilUs - t0];
    }),
    [
      [1, 0, 0],
      [0, 2, 2],
    ],
    'the first batch, with two records and two names, was dropped',
  );
  queue.acknowledge(2);
  queue.acknowledge(3);
  t.same(queue.unacknowledged, { batches: 0, records: 0 });
});

t.test('a batch of the previous stream is still to be sent, also if the newest batch was dropped', async (t) => {
  const queue = new BatchQueue(new PacketAccounting(), { maxBatchRecords: 4, maxQueuedRecords: 4 });
  queue.enqueue(records(4), emptyDnsReport, t0);
  t.equal([...queue.after(0)].length, 1);
  queue.streamEnded();
  queue.enqueue(records(1), emptyDnsReport, t0 + 1);
  t.equal(queue.hasAfter(0), true);
  t.same(
    [...queue.after(0)].map(({ sequence }) => sequence),
    [1],
  );
  t.equal(queue.hasAfter(1), false);
});
