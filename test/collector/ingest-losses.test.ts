// Losses that an agent reports make delivery unknown only where they may have been the connection.
import t from 'tap';
import type { Connection } from '../../model/connection.ts';
import { TCP } from '../../model/protocol.ts';
import type { AgentState, WireAccounting, WireUnrecorded } from '../../proto/wire.ts';
import { Scene, shop } from '../scene/pipeline.ts';
import { db, record, second, t0, web } from '../scene/records.ts';

type Losses = Partial<Pick<AgentState, 'accounting' | 'coverage'>>;

const [webLink, dbLink] = [7, 9];
const toPod = 2;
const lost = (reasons: Record<string, number>): WireAccounting => ({
  ...{ seen: 9, stored: 0, ignored: {}, lost: reasons },
  bytes: null,
});
const sum = (change: Partial<WireUnrecorded>): WireUnrecorded => ({
  ...{ reason: 'corrupt', direction: toPod, protocol: TCP, port: 0, zone: 0, packets: 3, bytes: 180 },
  ...{ firstUs: t0, lastUs: t0 },
  ...change,
});
const unreadableAt = (index: number, change: Partial<WireUnrecorded> = {}) => ({
  gaps: [],
  unreadable: [{ index, unrecorded: [sum(change)] }],
});

const none: Losses = { accounting: lost({}), coverage: { gaps: [], unreadable: [] } };

/** What is said of web -> db, of which nothing arrived, if the agent of db's node reports these losses. */
function deliveredWith(losses: Losses): string {
  const scene = new Scene(shop);
  scene.report('n1', [{ index: webLink, podUid: 'uid-web', addresses: [web] }], [], none);
  scene.report('n2', [{ index: dbLink, podUid: 'uid-db', addresses: [db] }], [], losses);
  scene.see('n1', record());
  scene.pass(20 * second);
  const [{ delivered }] = [...scene.connections.values()] as [Connection];
  return delivered.delivered === 'unknown' ? delivered.why : delivered.delivered;
}

t.test('packets that cannot be read at one interface make nothing unknown at others', async (t) => {
  const accounting = lost({ corrupt: 3 });
  const other = dbLink + 1;
  t.equal(deliveredWith({ accounting, coverage: unreadableAt(other) }), 'no');
  t.equal(deliveredWith({ accounting, coverage: unreadableAt(dbLink) }), 'losses');
  t.equal(deliveredWith({ accounting, coverage: unreadableAt(dbLink, { protocol: 17 }) }), 'no');
  t.equal(deliveredWith({ accounting, coverage: unreadableAt(0) }), 'losses', 'the agent does not know the interface');
});

t.test('an older agent does not know the interface, so its losses concern every pod of the node', async (t) => {
  t.equal(deliveredWith({ accounting: lost({ corrupt: 3 }), coverage: null }), 'losses');
  t.equal(deliveredWith({ accounting: lost({}), coverage: null }), 'no');
});

t.test('losses in a queue concern every pod of the node', async (t) => {
  const coverage = { gaps: [], unreadable: [] };
  t.equal(deliveredWith({ accounting: lost({ 'queue-full': 3, 'table-full': 5 }), coverage }), 'losses');
  t.equal(deliveredWith({ accounting: lost({ 'table-full': 5 }), coverage }), 'no');
});

t.test(
  'connections without a row: as long as the gap lasts, those of that pod, protocol and port are doubted',
  async (t) => {
    const gap = (change: Partial<WireUnrecorded>, ended: boolean): Losses => {
      const unrecorded = [sum({ reason: 'table-full', port: 5432, ...change })];
      const one = { index: dbLink, name: '', podUid: '', connections: 1, unanswered: 1, unrecorded };
      const fromUs = t0 - 60 * second;
      return {
        accounting: lost({ 'table-full': 3 }),
        coverage: { gaps: [{ fromUs, untilUs: fromUs, ended, interfaces: [one] }], unreadable: [] },
      };
    };
    const before = { firstUs: t0 - 60 * second, lastUs: t0 - 60 * second };
    t.equal(deliveredWith(gap(before, false)), 'losses');
    t.equal(deliveredWith(gap(before, true)), 'no');
    t.equal(deliveredWith(gap({ ...before, port: 80 }, false)), 'no');
  },
);
