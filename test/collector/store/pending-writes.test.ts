import t from 'tap';
import { PendingWrites } from '../../../collector/store/pending-writes.ts';
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
    async putConnections(some: readonly Connection[]) {
      allow('connections');
      puts += some.length;
      for (const one of some) connections.set(one.id, one);
    },
    async removeConnections(ids: readonly string[]) {
      allow('connections');
      for (const id of ids) connections.delete(id);
    },
    async putFindings(some: readonly Finding[]) {
      allow('findings');
      for (const one of some) findings.set(one.id, one);
    },
    async removeFindings(ids: readonly string[]) {
      allow('findings');
      for (const id of ids) findings.delete(id);
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
