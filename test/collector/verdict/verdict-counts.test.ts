import t from 'tap';
import { VerdictCounts } from '../../../collector/verdict/verdict-counts.ts';
import { connection, podEnd } from '../../scene/connections.ts';

const one = { initiator: podEnd('shop/web'), responder: podEnd('shop/db') };
const across = { initiator: podEnd('shop/web'), responder: podEnd('ops/probe') };
const outside = { initiator: podEnd('ops/probe'), responder: { kind: 'external', zone: 'internet' } } as const;
const unknown = { verdict: 'unknown', unknownReason: 'not evaluated' } as const;

t.test('a connection counts once in each namespace of its ends, with its latest verdict', async (t) => {
  const counts = new VerdictCounts();
  counts.count(connection({ id: 'a', ...one, ...unknown }));
  counts.count(connection({ id: 'b', ...across, ...unknown }));
  counts.count(connection({ id: 'c', ...outside, verdict: 'allowed' }));
  t.same(counts.byNamespace(), { ops: { connections: 2, unknown: 1 }, shop: { connections: 2, unknown: 2 } });
  counts.count(connection({ id: 'a', ...one, verdict: 'allowed' }));
  counts.count(connection({ id: 'a', ...one, verdict: 'allowed' }));
  t.same(counts.byNamespace().shop, { connections: 2, unknown: 1 });
  t.same(counts.counts(), { 'unknown: not evaluated': 1, allowed: 2 });
});

t.test('an end that becomes known moves the connection to its namespace', async (t) => {
  const counts = new VerdictCounts();
  counts.count(connection({ id: 'a', ...outside, ...unknown }));
  counts.count(connection({ id: 'a', ...across, ...unknown }));
  t.same(counts.byNamespace(), { ops: { connections: 1, unknown: 1 }, shop: { connections: 1, unknown: 1 } });
});

t.test('a merged connection no longer counts, and a retired one still does', async (t) => {
  const counts = new VerdictCounts();
  counts.count(connection({ id: 'a', ...one, ...unknown }));
  counts.count(connection({ id: 'b', ...one, ...unknown }));
  counts.remove('a');
  counts.forget('b');
  t.same(counts.byNamespace(), { shop: { connections: 1, unknown: 1 } });
});
