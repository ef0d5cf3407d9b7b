import type { AddressInfo } from 'node:net';
import t from 'tap';
import { type Readiness, serveHealth } from '../../agent/health.ts';

async function serve(t: { teardown(end: () => void): void }, readiness: Readiness): Promise<string> {
  const server = await serveHealth('127.0.0.1:0', readiness);
  t.teardown(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('/healthz answers 200, and /readyz answers 503 with the reason until the agent is ready', async (t) => {
  let ready = false;
  const address = await serve(t, () => ({ ready, reason: ready ? 'ready' : 'no pods known yet' }));
  const get = async (path: string) => {
    const response = await fetch(`http://${address}${path}`);
    return [response.status, await response.text()];
  };
  t.same(await get('/healthz'), [200, 'alive\n']);
  t.same(await get('/readyz'), [503, 'no pods known yet\n']);
  ready = true;
  t.same(await get('/readyz'), [200, 'ready\n']);
  t.match(await get('/other'), [404]);
});

t.test('a port in use is reported as cannot-listen, with the setting to change', async (t) => {
  const address = await serve(t, () => ({ ready: true, reason: 'ready' }));
  await t.rejects(
    serveHealth(address, () => ({ ready: true, reason: 'ready' })),
    {
      message: `cannot-listen: health.listen ${address}: another program uses the port; stop that program, or set another port`,
    },
  );
});
