import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, get as httpsGet } from 'node:https';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { TLSSocket } from 'node:tls';
import { pino } from 'pino';
import t from 'tap';
import { readAuthority } from '../../../certs/authority.ts';
import { sign } from '../../../certs/sign.ts';
import { followLimits } from '../../../collector/api/follow.ts';
import { serveApi } from '../../../collector/api/server.ts';
import type { FindingJson } from '../../../model/json.ts';
import { ProblemError } from '../../../model/problem.ts';
import { apiScene, caOnly } from '../../scene/api.ts';
import { connection, podEnd } from '../../scene/connections.ts';
import { finding } from '../../scene/findings.ts';
import { second, t0 } from '../../scene/records.ts';
import { until } from '../../scene/until.ts';

const blocked = finding({ id: 'f2', kind: 'blocked', severity: 'medium', initiator: podEnd('bank/web') });

/** Reads an endless stream line by line. */
function linesOf(response: IncomingMessage): { next(): Promise<Record<string, unknown> | undefined> } {
  const lines = createInterface({ input: response })[Symbol.asyncIterator]();
  return {
    async next() {
      const { value, done } = await lines.next();
      return done ? undefined : (JSON.parse(value) as Record<string, unknown>);
    },
  };
}

t.test('findings and flows are returned as JSON and can be filtered', async (t) => {
  const { get } = await apiScene(t, { findings: [finding(), blocked], connections: [connection()] });
  const all = await get('/v1/findings');
  t.equal(all.status, 200);
  t.match(all.body, [{ id: 'f1', protocol: 'TCP', verdict: 'denied', delivered: 'yes' }, { id: 'f2' }]);
  t.match((await get('/v1/findings?namespace=bank&namespace=blog')).body, [{ id: 'f2' }]);
  t.same((await get('/v1/findings?severity=low')).body, []);
  t.match((await get('/v1/flows?pod=db-1&verdict=allowed')).body, [{ id: 'c1', port: 5432, rttMs: 0.18 }]);
  t.same((await get('/v1/flows?since=2026-02-01T00:00:00Z')).body, []);
});

t.test('a header says whether there are more items', async (t) => {
  const connections = Array.from({ length: 3 }, (_, i) => connection({ id: `c${i}` }));
  const { get } = await apiScene(t, { connections });
  t.match(await get('/v1/flows?last=2'), { more: true, body: [{ id: 'c0' }, { id: 'c1' }] });
  t.match(await get('/v1/flows?last=3'), { more: false });
});

t.test('an item that cannot be shown is left out of a list and of a stream', async (t) => {
  const bad = connection({ id: 'bad', startUs: Number.NaN });
  const scene = await apiScene(t, { connections: [bad, connection({ id: 'good' })] });
  const { status, body } = await scene.get('/v1/flows');
  t.equal(status, 200);
  t.match(body, [{ id: 'good' }]);
  t.equal((body as unknown[]).length, 1);
  const response = await scene.open('/v1/flows?follow=true');
  const lines = linesOf(response);
  t.match(await lines.next(), { id: 'good' });
  scene.change({ type: 'connection', connection: bad });
  scene.change({ type: 'connection', connection: connection({ id: 'next' }) });
  t.match(await lines.next(), { id: 'next' });
  response.destroy();
});

t.test('thousands of flows arrive completely, also for several clients at once', async (t) => {
  const connections = Array.from({ length: 5000 }, (_, i) => connection({ id: `c${i}` }));
  const { get } = await apiScene(t, { connections });
  const answers = await Promise.all(Array.from({ length: 10 }, () => get('/v1/flows?last=5000')));
  for (const { body } of answers) t.equal((body as unknown[]).length, 5000);
});

t.test('an unknown or invalid parameter is refused with its name', async (t) => {
  const { get } = await apiScene(t, {});
  const refused = async (path: string) => {
    const { status, body } = await get(path);
    t.equal(status, 400, path);
    return (body as { error: string }).error;
  };
  t.match(await refused('/v1/findings?colour=red'), /^unknown-parameter: parameter "colour": .*; use namespace, pod/);
  t.match(await refused('/v1/flows?kind=bypass'), /^unknown-parameter: parameter "kind"/);
  t.match(await refused('/v1/findings?severity=worst'), /"worst" is not a valid value; use info, low/);
  t.match(await refused('/v1/findings?pod=a/b/c'), /pod: "a\/b\/c" is not a name; write it as NAME or NAMESPACE\/NAME/);
  t.match(await refused('/v1/flows?to-pod=/web'), /parameter to-pod: "\/web" is not a name; /);
  t.match(await refused('/v1/flows?port=http'), /parameter port: "http" is not a port; set a number from 1 to 65535/);
  t.match(await refused('/v1/flows?port=65536'), /is not a port/);
  t.match(
    await refused('/v1/findings?last=0'),
    /parameter last: "0" is not in the allowed range; set a number from 1 to/,
  );
  t.match(await refused('/v1/flows?since=yesterday'), /"yesterday" is not a time; write it as 10m/);
  t.match(await refused('/v1/flows?until=10m&follow=true'), /until: "10m" cannot be used with follow/);
  t.equal((await get('/v2/flows')).status, 404);
});

t.test('a client certificate of the CA is required, and certificates of agents are refused', async (t) => {
  const { get, tls, folder } = await apiScene(t, { findings: [finding()] });
  await t.rejects(get('/v1/findings', caOnly(folder)), 'no certificate');
  const asAgent = await get('/v1/findings', tls('agent-n1'));
  t.equal(asAgent.status, 403);
  t.match(asAgent.body, { error: /^agent-certificate: / });
});

/** A client certificate of the same authority, with these names. */
async function clientWith(folder: string, ...altNames: { type: 'dns' | 'url'; value: string }[]) {
  const authority = (await readAuthority(folder))!;
  const soon = new Date(Date.now() + 3_600_000);
  const { certificate, key } = await sign({ name: 'somebody', usage: 'client', altNames }, authority, soon);
  return { ca: Buffer.from(authority.pem), cert: Buffer.from(certificate), key: Buffer.from(key) };
}

t.test('only a client certificate with a name of api.clients may use the API', async (t) => {
  const { get, folder } = await apiScene(t, { findings: [finding()] });
  const other = await clientWith(folder, { type: 'url', value: 'spiffe://example/shop/web' });
  const refused = await get('/v1/findings', other);
  t.equal(refused.status, 403);
  t.match(refused.body, {
    error: /^client-not-allowed: the client certificate: "spiffe:\/\/example\/shop\/web" may not use the API; use a/,
  });
  const tricky = await clientWith(folder, { type: 'url', value: 'spiffe://x, URI:waybill://client' });
  t.equal((await get('/v1/findings', tricky)).status, 403, 'a name that contains another one');
  t.match((await get('/v1/status', await clientWith(folder))).body, { error: /it has no subject alternative name/ });
  const allowed = await clientWith(folder, { type: 'dns', value: 'dashboard.example' });
  t.equal((await get('/v1/findings', allowed)).status, 200);
  const node = { type: 'url', value: 'waybill://node/n9' } as const;
  const both = await clientWith(folder, node, { type: 'dns', value: 'dashboard.example' });
  t.equal((await get('/v1/findings', both)).status, 403, 'an agent, also with another name');
});

t.test('the name is checked on a resumed TLS session too', async (t) => {
  const { url, tls } = await apiScene(t, {});
  const agent = new Agent({ ...tls('client'), keepAlive: false, maxCachedSessions: 10 });
  const ask = () =>
    new Promise<{ status: number; resumed: boolean }>((resolve, reject) => {
      httpsGet(`${url}/v1/findings`, { agent }, (response) => {
        const resumed = (response.socket as TLSSocket).isSessionReused();
        response.resume().on('end', () => resolve({ status: response.statusCode!, resumed }));
      }).on('error', reject);
    });
  t.same(await ask(), { status: 200, resumed: false });
  t.same(await ask(), { status: 200, resumed: true });
});

t.test('600 connections that send nothing keep nobody out of the API and of the health check', async (t) => {
  const scene = await apiScene(t, { findings: [finding()] });
  for (const address of [scene.url, scene.healthUrl]) {
    const sockets = Array.from({ length: 600 }, () => connect(Number(new URL(address).port), 'localhost'));
    for (const socket of sockets) socket.on('error', () => undefined);
    t.teardown(() => {
      for (const socket of sockets) socket.destroy();
    });
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  }
  t.equal((await scene.get('/v1/findings')).status, 200);
  t.equal((await fetch(`${scene.healthUrl}/healthz`)).status, 200);
});

t.test('a follower gets the latest findings, oldest first, then new and retracted ones', async (t) => {
  const scene = await apiScene(t, { findings: [finding({ id: 'new' }), finding({ id: 'old' })] });
  const response = await scene.open('/v1/findings?follow=true&severity=critical');
  const lines = linesOf(response);
  t.equal((await lines.next())?.id, 'old');
  t.equal((await lines.next())?.id, 'new');
  scene.change({ type: 'finding', finding: finding({ id: 'low', severity: 'low' }) });
  scene.change({ type: 'connection', connection: connection() });
  scene.change({ type: 'finding', finding: finding({ id: 'newest' }) });
  t.equal((await lines.next())?.id, 'newest', 'findings of another severity and connections are not sent');
  scene.change({ type: 'gone', of: 'finding', id: 'never sent' });
  scene.change({ type: 'gone', of: 'finding', id: 'newest' });
  t.same(await lines.next(), { id: 'newest', gone: true });
  response.destroy();
});

t.test('a follower learns that an item no longer matches its filters, once', async (t) => {
  const scene = await apiScene(t, { findings: [finding({ id: 'old' })] });
  const response = await scene.open('/v1/findings?follow=true&severity=critical');
  const lines = linesOf(response);
  t.equal((await lines.next())?.id, 'old');
  for (const id of ['old', 'old', 'other'])
    scene.change({ type: 'finding', finding: finding({ id, severity: 'high' }) });
  scene.change({ type: 'finding', finding: finding({ id: 'end' }) });
  t.same(await lines.next(), { id: 'old', gone: true });
  t.equal((await lines.next())?.id, 'end');
  response.destroy();
});

t.test('an item that goes while the stored items are read is not sent', async (t) => {
  const stored = ['kept', 'gone', 'changed'].map((id) => finding({ id }));
  const scene = await apiScene(t, { findings: stored });
  scene.whileReading = () => {
    scene.change({ type: 'gone', of: 'finding', id: 'gone' });
    scene.change({ type: 'finding', finding: finding({ id: 'changed', severity: 'high' }) });
    scene.change({ type: 'finding', finding: finding({ id: 'end' }) });
  };
  const response = await scene.open('/v1/findings?follow=true&severity=critical');
  const lines = linesOf(response);
  t.equal((await lines.next())?.id, 'kept');
  t.equal((await lines.next())?.id, 'end');
  response.destroy();
});

t.test('a follower gets headers before the first finding, and is not counted after it disconnects', async (t) => {
  const scene = await apiScene(t, {});
  const response = await scene.open('/v1/flows?follow=true');
  t.equal(response.statusCode, 200);
  t.equal(scene.listeners(), 1);
  t.match((await scene.get('/v1/status')).body, { followers: { now: 1, dropped: 0 } });
  response.destroy();
  while (scene.listeners() > 0) await new Promise((resolve) => setImmediate(resolve));
  t.match((await scene.get('/v1/status')).body, { followers: { now: 0, dropped: 0 } });
});

t.test('a reader that is too slow gets an error as its last line, and is counted', async (t) => {
  const limits = { ...followLimits, maxFollowers: 2, maxUnreadCharacters: 20_000, drainTimeoutMs: 60_000 };
  const scene = await apiScene(t, {}, limits);
  const response = await scene.open('/v1/findings?follow=true');
  // More than all buffers between the two ends can hold, while nothing is read.
  const explanation = 'x'.repeat(100_000);
  let sent = 0;
  const dropped = async () => {
    const { body } = await scene.get('/v1/status');
    return (body as { followers: { dropped: number } }).followers.dropped;
  };
  while ((await dropped()) === 0 && sent < 1000) {
    scene.change({ type: 'finding', finding: finding({ id: String(sent), explanation }) });
    sent += 1;
  }
  t.equal(await dropped(), 1);
  const lines = linesOf(response);
  let count = 0;
  let last: Record<string, unknown> = {};
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    if (line.error === undefined) t.equal((line as FindingJson).id, String(count));
    count += 1;
    last = line;
  }
  t.match(last, { error: /^follower-too-slow: / });
  t.ok(count - 1 <= sent, `${count - 1} of ${sent} came before it`);
});

t.test('a follower that asks for a heartbeat gets blank lines between the objects', async (t) => {
  const scene = await apiScene(t, { findings: [finding()] }, { ...followLimits, heartbeatIntervalMs: 10 });
  const response = await scene.open('/v1/findings?follow=true', { 'waybill-heartbeat': 'blank-lines' });
  const other = await scene.open('/v1/findings?follow=true');
  let [heard, otherHeard] = ['', ''];
  other.setEncoding('utf8').on('data', (chunk: string) => {
    otherHeard += chunk;
  });
  response.setEncoding('utf8').on('data', (chunk: string) => {
    heard += chunk;
  });
  await until('it lives', () => /\}\n\n\n+$/.test(heard));
  scene.change({ type: 'finding', finding: finding({ id: 'new' }) });
  await until('it goes on', () => /"new".*\}\n\n+$/.test(heard));
  const objects = heard.split('\n').filter((line) => line !== '');
  t.same(
    objects.map((line) => JSON.parse(line).id),
    ['f1', 'new'],
  );
  await until('the other hears it too', () => otherHeard.includes('"new"'));
  t.notMatch(otherHeard, /\n\n/, 'no blank lines without the header');
  response.destroy();
  other.destroy();
});

t.test('the number of followers is limited', async (t) => {
  const scene = await apiScene(t, {}, { ...followLimits, maxFollowers: 1 });
  const first = await scene.open('/v1/flows?follow=true');
  const { status, body } = await scene.get('/v1/flows?follow=true');
  t.equal(status, 503);
  t.match(body, {
    error: /^too-many-followers: follow: the maximum of 1 following clients is reached; end one of them/,
  });
  first.destroy();
});

t.test('streams end when the collector stops', async (t) => {
  const scene = await apiScene(t, {});
  const response = await scene.open('/v1/flows?follow=true');
  const ended = once(response.resume(), 'close');
  await scene.close();
  await ended;
});

t.test('health needs no certificate and reports readiness', async (t) => {
  const scene = await apiScene(t, {});
  t.equal(await (await fetch(`${scene.healthUrl}/healthz`)).text(), 'alive\n');
  t.equal((await fetch(`${scene.healthUrl}/readyz`)).status, 200);
  scene.ready(false);
  const response = await fetch(`${scene.healthUrl}/readyz`);
  t.equal(response.status, 503);
  t.equal(await response.text(), "waiting for the cluster's objects\n");
});

t.test('a port in use and a key of another certificate are reported in one line each', async (t) => {
  const scene = await apiScene(t, {});
  const answers = { findings: async () => [], connections: async () => [], status: async () => Promise.reject() };
  const serve = (listen: string, key: Buffer) =>
    serveApi(
      { listen, healthListen: '127.0.0.1:0', clients: [], tls: { ...scene.tls('collector'), key } },
      { ...answers, subscribe: () => () => undefined },
      () => ({ ready: true, reason: '' }),
      pino({ level: 'silent' }),
    ).then(
      () => '',
      (error: unknown) => (error instanceof ProblemError ? error.message : 'no problem'),
    );
  const taken = scene.url.replace('https://', '');
  t.match(
    await serve(taken, scene.tls('collector').key),
    /^cannot-listen: api\.listen localhost:\d+: another program uses the port; stop that program/,
  );
  t.match(await serve('localhost:0', scene.tls('client').key), /^api-certificate-unusable: tls\.cert, tls\.key/);
});

t.test('since and until select by the times of packets, and until is exclusive', async (t) => {
  const at = (id: string, s: number) => connection({ id, startUs: t0 + s * second, endUs: t0 + s * second });
  const { get } = await apiScene(t, { connections: [at('b', 2), at('a', 1)] });
  t.match((await get('/v1/flows?since=2026-01-01T00:00:02Z')).body, [{ id: 'b' }]);
  t.match((await get('/v1/flows?until=2026-01-01T00:00:02Z')).body, [{ id: 'a' }]);
});
