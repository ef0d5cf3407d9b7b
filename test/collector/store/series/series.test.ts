import { once } from 'node:events';
import { createServer } from 'node:net';
import { type Logger, pino } from 'pino';
import t, { type Test } from 'tap';
import { Series, type SeriesOptions } from '../../../../collector/store/series/series.ts';
import type { ChangeSet } from '../../../../collector/store/store.ts';
import type { Connection } from '../../../../model/connection.ts';
import { connection, podEnd } from '../../../scene/connections.ts';
import { finding } from '../../../scene/findings.ts';
import { freePort } from '../../../scene/free-port.ts';
import { Influxd, withoutInfluxd } from '../../../scene/influxd.ts';
import { until } from '../../../scene/until.ts';

const options = {
  database: 'waybill',
  username: '',
  password: '',
  maxQueuedPoints: 1000,
  maxConnections: 1000,
  maxFindings: 1000,
  intervalMs: 20,
};
const skip = withoutInfluxd;

/** A sink that is closed after the test, and the lines that it logs. */
function sink(t: Test, change: Partial<SeriesOptions> & { url: string }): { series: Series; lines: string[] } {
  const lines: string[] = [];
  const log: Logger = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) });
  const series = new Series({ ...options, ...change }, log);
  t.teardown(() => series.close(0));
  return { series, lines };
}

function changes(change: Partial<ChangeSet>): ChangeSet {
  return { connections: [], merged: [], findings: { put: [], removed: [] }, ...change };
}

/** A connection from w<from> to db, so that each is a group of its own. */
function from(index: number, change: Partial<Connection> = {}): Connection {
  return connection({ id: `c${index}`, initiator: podEnd(`shop/w${index}`), ...change });
}

/** Sums over all time, grouped by the tag if given. */
async function sums(server: Influxd, measurement: string, by?: string): Promise<Record<string, unknown>[]> {
  const fields = measurement === 'waybill_findings' ? ['findings', 'connections'] : ['connections', 'packets', 'bytes'];
  const wanted = fields.map((name) => `sum(${name}) AS ${name}`).join(', ');
  const rows = await server.client().query(`SELECT ${wanted} FROM ${measurement}${by ? ` GROUP BY "${by}"` : ''}`);
  return rows.map(({ time: _, ...row }: Record<string, unknown>) => row);
}

t.test('the written points add up to the input, in a database that is created automatically', { skip }, async (t) => {
  const server = await Influxd.start(t);
  const { series } = sink(t, { url: server.url });
  const many = Array.from({ length: 300 }, (_, i) =>
    from(i, { packets: { forward: i, reverse: 1 }, bytes: { forward: 1000 * i, reverse: 7 } }),
  );
  series.put(changes({ connections: many.slice(0, 200), findings: { put: [finding()], removed: [] } }));
  await until('the first are written', () => series.counts().points === 201);
  series.put(changes({ connections: many.slice(200) }));
  await series.close(5_000);
  t.same(series.counts(), { points: 301, dropped: 0 });
  t.same(await sums(server, 'waybill_connections'), [{ connections: 300, packets: 45_150, bytes: 44_852_100 }]);
  t.same(await sums(server, 'waybill_findings'), [{ findings: 1, connections: 1 }]);
  const pair = await server.client().query("SELECT * FROM waybill_connections WHERE initiator = 'shop/w7'");
  t.match(pair, [
    { responder: 'shop/db', protocol: 'TCP', verdict: 'allowed', placement: 'cross-node', outcome: 'established' },
  ]);
});

t.test('a re-evaluated connection counts once, with its latest verdict', { skip }, async (t) => {
  const server = await Influxd.start(t);
  const { series } = sink(t, { url: server.url });
  const step = async (change: Partial<ChangeSet>) => {
    const before = series.counts().points;
    series.put(changes(change));
    await until('it is written', () => series.counts().points > before);
  };
  const held = finding({ connections: 2 });
  await step({ connections: [from(1, { verdict: 'unknown' }), from(2)], findings: { put: [held], removed: [] } });
  await step({ connections: [from(1, { verdict: 'denied', packets: { forward: 9, reverse: 4 } }), from(2)] });
  await step({ findings: { put: [finding({ connections: 3, severity: 'high' })], removed: [] } });
  t.same(await sums(server, 'waybill_connections'), [{ connections: 2, packets: 22, bytes: 9000 }]);
  t.same(await sums(server, 'waybill_connections', 'verdict'), [
    { verdict: 'allowed', connections: 1, packets: 9, bytes: 4500 },
    { verdict: 'denied', connections: 1, packets: 13, bytes: 4500 },
    { verdict: 'unknown', connections: 0, packets: 0, bytes: 0 },
  ]);
  t.same(await sums(server, 'waybill_findings'), [{ findings: 1, connections: 3 }]);
  await step({ merged: ['c2'], findings: { put: [], removed: ['f1'] } });
  t.same(
    await sums(server, 'waybill_connections'),
    [{ connections: 1, packets: 13, bytes: 4500 }],
    'c2 was merged into c1',
  );
  t.same(await sums(server, 'waybill_findings'), [{ findings: 0, connections: 0 }]);
});

t.test('after a restart, nothing counts twice', { skip }, async (t) => {
  const server = await Influxd.start(t);
  const before = sink(t, { url: server.url }).series;
  before.put(changes({ connections: [from(1)], findings: { put: [finding()], removed: [] } }));
  await before.close(5_000);
  const after = sink(t, { url: server.url }).series;
  after.restore([from(1)], [finding()]);
  after.put(changes({ connections: [from(1, { bytes: { forward: 501, reverse: 4000 } })] }));
  after.put(changes({ findings: { put: [finding({ connections: 2 })], removed: [] } }));
  await after.close(5_000);
  t.same(await sums(server, 'waybill_connections'), [{ connections: 1, packets: 9, bytes: 4501 }]);
  t.same(await sums(server, 'waybill_findings'), [{ findings: 1, connections: 2 }]);
});

t.test(
  'while InfluxDB is unavailable, the newest points wait and the oldest are dropped and counted',
  { skip },
  async (t) => {
    const server = await Influxd.prepare(t, { auth: false });
    const { series, lines } = sink(t, { url: server.url, maxQueuedPoints: 100 });
    for (const start of [0, 60, 120]) {
      series.put(changes({ connections: Array.from({ length: 60 }, (_, i) => from(start + i)) }));
      // Each point has its own time, so that there is an oldest.
      const dropped = Math.max(0, start + 60 - 100);
      await until('they wait', () => start === 0 || series.counts().dropped === dropped);
      if (start === 0) await until('it was tried', () => lines.length === 1);
    }
    t.same(series.counts(), { points: 0, dropped: 80 });
    await server.start();
    await until('it is written', () => series.counts().points === 100, 20_000);
    t.same(series.counts(), { points: 100, dropped: 80 });
    const rows = await server
      .client()
      .query<{ initiator: string }>('SELECT connections, initiator FROM waybill_connections');
    const there = rows.map(({ initiator }) => Number(initiator.slice('shop/w'.length))).sort((a, b) => a - b);
    t.same(
      there,
      Array.from({ length: 100 }, (_, i) => 80 + i),
    );
    t.equal(lines.length, 1, 'it is logged once');
    t.match(
      lines[0],
      /"reason":"connect ECONNREFUSED .*InfluxDB unavailable, retrying; the oldest points above series\.maxQueuedPoints are dropped/,
    );
  },
);

t.test('an InfluxDB that accepts connections and never answers does not block the caller', async (t) => {
  const server = createServer(() => undefined);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const { series } = sink(t, { url: `http://127.0.0.1:${port}` });
  series.put(changes({ connections: [from(1)] }));
  await once(server, 'connection');
  t.equal(series.put(changes({ connections: [from(2), from(3)] })), undefined);
  const began = Date.now();
  await series.close(200);
  t.ok(Date.now() - began < 3_000, 'close waits no longer than its limit');
  t.same(series.counts(), { points: 0, dropped: 3 });
});

t.test('a wrong password is logged in one line without the password', { skip }, async (t) => {
  const server = await Influxd.start(t, { auth: true });
  await server.client().query(`CREATE USER "w" WITH PASSWORD 'right-one' WITH ALL PRIVILEGES`);
  for (const wrong of [
    { url: server.url, username: 'w', password: 'wrong-one' },
    { url: `http://w:wrong-one@127.0.0.1:${server.port}` },
  ]) {
    const { series, lines } = sink(t, wrong);
    series.put(changes({ connections: [from(1)] }));
    await until('it complains', () => lines.length > 0);
    await series.close(1_000);
    t.equal(lines.length, 1);
    t.match(lines[0], /"reason":"401 authorization failed"/);
    t.notMatch(lines[0], /wrong-one/);
    t.same(series.counts(), { points: 0, dropped: 1 });
  }
  for (const right of [
    { url: server.url, username: 'w', password: 'right-one' },
    { url: `http://w:right-one@127.0.0.1:${server.port}/` },
  ]) {
    const { series, lines } = sink(t, right);
    series.put(changes({ connections: [from(1)] }));
    await series.close(5_000);
    t.same([series.counts(), lines], [{ points: 1, dropped: 0 }, []]);
  }
});

t.test('a missing database that may not be created is named', { skip }, async (t) => {
  const server = await Influxd.start(t, { auth: true });
  const admin = { username: 'root', password: 'root' };
  await server.client().query(`CREATE USER "root" WITH PASSWORD 'root' WITH ALL PRIVILEGES`);
  await server.client(admin).query(`CREATE USER "w" WITH PASSWORD 'mine'`);
  const { series, lines } = sink(t, { url: server.url, database: 'net', username: 'w', password: 'mine' });
  series.put(changes({ connections: [from(1)] }));
  await until('it complains', () => lines.length > 0);
  t.match(lines[0], /"reason":"(40[13] .*|database net does not exist and cannot be created: 40[13] .*)"/);
  t.match(lines[0], /net/);
});

t.test('points that InfluxDB refuses do not block later points', { skip }, async (t) => {
  const server = await Influxd.start(t);
  const client = server.client();
  await client.createDatabase('waybill');
  // The field `packets` already exists as a string, so a number is refused.
  await client.writePoints([{ measurement: 'waybill_connections', fields: { packets: 'many' } }]);
  const { series, lines } = sink(t, { url: server.url });
  series.put(changes({ connections: [from(1), from(2)], findings: { put: [finding()], removed: [] } }));
  await until('it is answered', () => lines.length > 0);
  series.put(changes({ findings: { put: [finding({ connections: 5 })], removed: [] } }));
  await series.close(5_000);
  t.match(lines[0], /"reason":"400 .*field type conflict.*InfluxDB refused points; they are dropped/);
  t.same(series.counts(), { points: 2, dropped: 2 });
  t.same(await sums(server, 'waybill_findings'), [{ findings: 1, connections: 5 }]);
});

t.test('the URL may have an IPv6 address or a host name', async (t) => {
  for (const host of ['[::1]', 'localhost']) {
    const { series, lines } = sink(t, { url: `http://${host}:${await freePort()}` });
    series.put(changes({ connections: [from(1)] }));
    await until('it was tried', () => lines.length > 0);
    t.match(lines[0], /"reason":"[^"]*ECONNREFUSED/, host);
  }
});
