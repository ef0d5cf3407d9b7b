// Clients with different certificate names do not wait for each other.
import t from 'tap';
import { readAuthority } from '../../../certs/authority.ts';
import { sign } from '../../../certs/sign.ts';
import { answerLimits, ConcurrencyLimit } from '../../../collector/api/answers.ts';
import { followLimits } from '../../../collector/api/follow.ts';
import { apiScene } from '../../scene/api.ts';
import { connection } from '../../scene/connections.ts';

/** More than the buffers of a connection hold. */
const many = Array.from({ length: 10_000 }, (_, i) => connection({ id: `c${i}-${'x'.repeat(1000)}` }));
const everything = '/v1/flows?last=10000';

/** The certificate of a second allowed client. */
async function otherClient(folder: string) {
  const authority = (await readAuthority(folder))!;
  const altNames = [{ type: 'dns' as const, value: 'dashboard.example' }];
  const soon = new Date(Date.now() + 3_600_000);
  const { certificate, key } = await sign({ name: 'other', usage: 'client', altNames }, authority, soon);
  return { ca: Buffer.from(authority.pem), cert: Buffer.from(certificate), key: Buffer.from(key) };
}

t.test('a client that never reads does not delay the lists of another', { timeout: 40_000 }, async (t) => {
  const limits = { ...answerLimits, maxStallMs: 3_600_000 };
  const scene = await apiScene(t, { connections: many }, undefined, limits);
  const unread = await Promise.all(Array.from({ length: 4 }, () => scene.open(everything)));
  const waiting = Promise.allSettled(Array.from({ length: 8 }, () => scene.open(everything)));
  const { status, body } = await scene.get('/v1/flows?last=5', await otherClient(scene.folder));
  t.equal(status, 200);
  t.equal((body as unknown[]).length, 5);
  await scene.close();
  await waiting;
  for (const response of unread) response.destroy();
});

t.test(
  'an answer that is not read is ended, and the next one of the client is sent',
  { timeout: 40_000 },
  async (t) => {
    const limits = { ...answerLimits, maxRunning: 1, maxStallMs: 500 };
    const scene = await apiScene(t, { connections: many }, undefined, limits);
    const unread = await scene.open(everything);
    unread.on('error', () => undefined);
    t.equal((await scene.get('/v1/flows?last=1')).status, 200);
    unread.destroy();
  },
);

t.test(
  'above its limit of waiting requests a client is refused, and another is not',
  { timeout: 40_000 },
  async (t) => {
    const limits = { ...answerLimits, maxRunning: 1, maxWaiting: 1, maxStallMs: 3_600_000 };
    const scene = await apiScene(t, { connections: many }, undefined, limits);
    const unread = await scene.open(everything);
    const two = [scene.get('/v1/flows?last=1'), scene.get('/v1/flows?last=1')];
    const ended = Promise.allSettled(two);
    const { status, body } = await Promise.race(two);
    t.equal(status, 503);
    t.match(body, { error: /^too-many-requests: the client certificate: 1 requests with its name wait/ });
    t.equal((await scene.get('/v1/flows?last=1', await otherClient(scene.folder))).status, 200);
    await scene.close();
    await ended;
    unread.destroy();
  },
);

t.test('clients take turns', async (t) => {
  const turns = new ConcurrencyLimit({ ...answerLimits, maxReading: 1 });
  const order: string[] = [];
  const answer = async (client: string) => {
    const slot = (await turns.acquire(client))!;
    order.push(client);
    slot.release();
  };
  await Promise.all(['a', 'a', 'a', 'b', 'c', 'b'].map(answer));
  t.same(order, ['a', 'a', 'b', 'c', 'a', 'b']);
});

t.test('a client that follows too often does not keep out another', { timeout: 40_000 }, async (t) => {
  const scene = await apiScene(t, {}, { ...followLimits, maxFollowers: 2, maxPerClient: 1 });
  const first = await scene.open('/v1/flows?follow=true');
  const refused = await scene.get('/v1/flows?follow=true');
  t.equal(refused.status, 503);
  t.match(refused.body, { error: /^too-many-followers: follow: the maximum of 1 follow streams with one certificate/ });
  const other = scene.get('/v1/flows?follow=true', await otherClient(scene.folder)).catch(() => undefined);
  let followers = 0;
  while (followers < 2) {
    followers = ((await scene.get('/v1/status')).body as { followers: { now: number } }).followers.now;
  }
  t.equal(followers, 2);
  await scene.close();
  await other;
  first.destroy();
});
