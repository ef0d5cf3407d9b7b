// What conntrack translated is told by the program, however few packets a connection has in an interval, and not over and over.
import { execFile } from 'node:child_process';
import t from 'tap';

const script = new URL('translate.ts', import.meta.url).pathname;

/** The ports that were reached, as the program told them. */
function reachedPorts(traffic: string): Promise<number[]> {
  const unshare = process.getuid?.() === 0 ? '-n' : '-rn';
  const words = [unshare, '--kill-child', process.execPath, script, traffic];
  return new Promise((resolve, reject) => {
    execFile('unshare', words, { timeout: 30_000 }, (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout) as number[]);
      else reject(error);
    });
  });
}

t.test('a connection that lives over many intervals is told once', async (t) => {
  t.same(await reachedPorts('live UDP'), [5353]);
});

t.test('datagrams of which no interval holds two, and none is answered, are told', async (t) => {
  t.same(await reachedPorts('slow UDP'), [5353]);
});

t.test('a SYN that is sent again and again, and never answered, is told', async (t) => {
  const ports = await reachedPorts('SYN retries');
  t.ok(ports.length > 0 && ports.every((port) => port === 8003), `${ports}`);
});

t.test('the next connection on the same ports is told as the one that it is', async (t) => {
  t.same(await reachedPorts('a port used again'), [8001, 8002]);
});
