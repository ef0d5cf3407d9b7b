// Many sides with the same ends: a sender may reuse its ports without end, and an agent may report what it likes.
import t from 'tap';
import { Grouping } from '../../../collector/join/grouping.ts';
import type { Side } from '../../../collector/join/side.ts';
import { UDP } from '../../../model/protocol.ts';
import { type ConnectionRecord, RST, SYN } from '../../../model/record.ts';
import { ingressPolicy, Scene, shop } from '../../scene/pipeline.ts';
import { atDestination, db, record, second, t0, web } from '../../scene/records.ts';

const manifests = `${shop}---${ingressPolicy('db', 'web')}`;
const records = 3_000;
/** Far more than usual, and far less than the number of records. */
const limit = 200;

/** A SYN and its refusal, `index` half milliseconds after t0. */
function syn(index: number, change: Partial<ConnectionRecord> = {}): ConnectionRecord {
  const atUs = t0 + index * 500;
  const times = { beganUs: atUs, firstUs: atUs, lastUs: atUs };
  const packets = { forward: 1, reverse: 1 };
  return record({ ...times, packets, tcpFlags: { forward: SYN, reverse: RST }, ended: true, isn: index, ...change });
}

/** How often these records make the join look at a side. */
function looksOf(seen: readonly ConnectionRecord[]): number {
  let looks = 0;
  const counted = new WeakSet<Side>();
  const grouping = new Grouping(
    () => undefined,
    (side) => {
      looks += 1;
      if (!counted.has(side)) countReads(side, () => (looks += 1));
      counted.add(side);
      return undefined;
    },
    () => true,
    { begun() {}, changed() {}, removed() {} },
  );
  for (const one of seen) grouping.receive(one, one.point === 'source' ? 'n1' : 'n2', 0, t0);
  return looks;
}

function countReads(side: Side, read: () => void): void {
  for (const field of ['agentBeganUs', 'beganUs', 'interfaceIndex', 'isn'] as const) {
    let value: unknown = side[field];
    Object.defineProperty(side, field, {
      get: () => {
        read();
        return value;
      },
      set: (next) => {
        value = next;
      },
    });
  }
}

t.test('a record with the same ends as thousands of others costs about as much as any other', async (t) => {
  const bothSides = (one: ConnectionRecord) => [one, atDestination(one)];
  const streams: Record<string, (index: number) => ConnectionRecord[]> = {
    'new sequence numbers': (index) => [syn(index)],
    'new sequence numbers, both sides': (index) => bothSides(syn(index)),
    'the same sequence number': (index) => bothSides(syn(index, { isn: 7 })),
    'no sequence number': (index) => bothSides(syn(index, { isn: undefined })),
    'from the latest to the oldest': (index) => bothSides(syn(records - index)),
    'no beginning and no end': (index) => [syn(index, { isn: undefined, initiatorBy: 'inferred', ended: false })],
  };
  for (const [name, stream] of Object.entries(streams)) {
    const seen = Array.from({ length: records }, (_, index) => stream(index));
    const distinct = seen.map((some, index) => some.map((one) => ({ ...one, initiatorPort: 1_000 + index })));
    const perRecord = (some: ConnectionRecord[][]) => looksOf(some.flat()) / some.flat().length;
    const [usual, actual] = [perRecord(distinct), perRecord(seen)];
    t.ok(actual < limit, `${name}: ${actual.toFixed(1)} looks for each record, usually ${usual.toFixed(1)}`);
  }
});

t.test('each of many uses of the same ports finds its other side by the sequence number, in any order', async (t) => {
  const uses = Array.from({ length: 200 }, (_, index) => syn(index));
  for (const order of ['by time', 'one agent first', 'reversed']) {
    const scene = new Scene(manifests);
    scene.report('n1', [{ index: 7, podUid: 'uid-web', addresses: [web] }]);
    scene.report('n2', [{ index: 9, podUid: 'uid-db', addresses: [db] }]);
    if (order === 'one agent first') {
      scene.see('n2', ...uses.map((one) => atDestination(one)));
      scene.see('n1', ...uses);
    } else {
      for (const one of order === 'by time' ? uses : uses.toReversed()) {
        scene.see('n1', one);
        scene.see('n2', atDestination(one));
      }
    }
    scene.pass(5 * second);
    const seen = [...scene.connections.values()];
    t.equal(seen.length, uses.length, order);
    t.ok(
      seen.every(({ observed, delivered }) => observed.length === 2 && delivered.delivered === 'yes'),
      order,
    );
  }
});

t.test('delivery is unknown for sides that cannot be matched', async (t) => {
  for (const change of [{}, { isn: undefined }, { protocol: UDP, isn: undefined }]) {
    const scene = new Scene(manifests);
    scene.report('n1', [{ index: 7, podUid: 'uid-web', addresses: [web] }]);
    scene.report('n2', [{ index: 9, podUid: 'uid-db', addresses: [db] }]);
    const uses = Array.from({ length: 100 }, (_, index) =>
      syn(index, { packets: { forward: 1, reverse: 0 }, tcpFlags: { forward: SYN, reverse: 0 }, ...change }),
    );
    scene.see('n1', ...uses);
    scene.pass(20 * second);
    const seen = [...scene.connections.values()];
    t.equal(seen.length, uses.length);
    t.ok(seen.every(({ delivered }) => delivered.delivered === 'unknown' && delivered.why === 'sender-ambiguous'));
  }
});
