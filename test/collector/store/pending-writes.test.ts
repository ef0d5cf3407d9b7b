import t from 'tap';
import { PendingWrites } from '../../../collector/store/pending-writes.ts';
import type { StoreChanges } from '../../../collector/store/store.ts';
import type { Connection } from '../../../model/connection.ts';
import type { Finding } from '../../../model/finding.ts';
import { connection } from '../../scene/connections.ts';
import { finding } from './store-suite.ts';

/** A store in memory that fails the kind of writes in `refusing`. */
function heldStore() {
  const connections = new Map<string, Connection>();
  const findings = new Map<string, Finding>();
  let refusing: 'everything' | 'connections' | 'findings' | 'nothing' = 'nothing';
  let puts = 0;
  const allow = (what: 'connections' | 'findings') => {
    if (refusing === 'everything' || refusing === what) throw new Error('disk full');
  };
  const store = {
    /** All of it, or nothing. */
    async write({
      connections: some = [],
      merged = [],
      findings: changed = [],
      removedFindings = [],
    }: Partial<StoreChanges>) {
      if (some.length + merged.length > 0) allow('connections');
      if (changed.length + removedFindings.length > 0) allow('findings');
      puts += some.length;
      for (const one of some) connections.set(one.id, one);
      for (const id of merged) connections.delete(id);
      for (const one of changed) findings.set(one.id, one);
      for (const id of removedFindings) findings.delete(id);
    },
  };
  return {
    store,
    refuse: (what: typeof refusing) => {
      refusing = what;
    },
    puts: () => puts,
    held: () => ({
      connections: [...connections.values()].map(({ id, verdict }) => `${id} ${verdict}`),
      findings: [...findings.values()].map((one) => `${one.id} ${one.connections}`),
    }),
  };
}

const nothing = { connections: [], merged: [], findings: { put: [], removed: [] } };

t.test('failed writes are retried, in the latest version', async (t) => {
  const { store, refuse, held } = heldStore();
  const unstored = new PendingWrites(10);
  unstored.add({
    ...nothing,
    connections: [connection({ id: 'gone' })],
    findings: { put: [finding({ id: 'old' })], removed: [] },
  });
  await unstored.writeTo(store);
  refuse('everything');
  unstored.add({ ...nothing, connections: [connection({ id: 'a', verdict: 'unknown' }), connection({ id: 'b' })] });
  await t.rejects(unstored.writeTo(store), /disk full/);
  unstored.add({
    connections: [connection({ id: 'a', verdict: 'denied' })],
    merged: ['b', 'gone'],
    findings: { put: [finding({ connections: 7 })], removed: ['old'] },
  });
  await t.rejects(unstored.writeTo(store), /disk full/);
  t.same(unstored.counts, { waiting: 5, lost: 0 }, 'including three removals');
  refuse('nothing');
  await unstored.writeTo(store);
  t.same(held(), { connections: ['a denied'], findings: ['f1 7'] });
  t.same(unstored.counts, { waiting: 0, lost: 0 });
});

t.test('written changes are not written again', async (t) => {
  const { store, refuse, held, puts } = heldStore();
  const unstored = new PendingWrites(10);
  refuse('findings');
  unstored.add({ ...nothing, connections: [connection()], findings: { put: [finding()], removed: [] } });
  await t.rejects(unstored.writeTo(store), /disk full/);
  t.same(unstored.counts, { waiting: 1, lost: 0 });
  refuse('nothing');
  await unstored.writeTo(store);
  t.equal(puts(), 1);
  t.same(held().findings, ['f1 1']);
});

t.test('a failed write of one kind does not block the others', async (t) => {
  const { store, refuse, held } = heldStore();
  const unstored = new PendingWrites(10);
  refuse('connections');
  unstored.add({ ...nothing, connections: [connection()], findings: { put: [finding()], removed: [] } });
  await t.rejects(unstored.writeTo(store), /disk full/);
  t.same(held(), { connections: [], findings: ['f1 1'] });
  t.same(unstored.counts, { waiting: 1, lost: 0 });
});

t.test('the oldest connections are dropped and counted if too many are pending', async (t) => {
  const { store, refuse, held } = heldStore();
  const unstored = new PendingWrites(2);
  refuse('everything');
  for (const id of ['a', 'b', 'c']) unstored.add({ ...nothing, connections: [connection({ id })] });
  t.same(unstored.counts, { waiting: 2, lost: 1 });
  refuse('nothing');
  await unstored.writeTo(store);
  t.same(
    held().connections.map((one) => one.split(' ')[0]),
    ['b', 'c'],
  );
});
