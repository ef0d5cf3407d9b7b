// The program reports translations of conntrack, even with few packets in an interval, and does not repeat them.
import { execFile } from 'node:child_process';
import t from 'tap';

const script = new URL('translate.ts', import.meta.url).pathname;

/** The translated ports that the program reported. */
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

t.test('the translation of a connection that lives over many intervals is reported once', async (t) => {
  t.same(await reachedPorts('live UDP'), [5353]);
});

t.test('the translation is reported even if no interval has two datagrams and none is answered', async (t) => {
  t.same(await reachedPorts('slow UDP'), [5353]);
});

t.test('the translation of a retransmitted SYN without an answer is reported', async (t) => {
  const ports = await reachedPorts('SYN retries');
  t.ok(ports.length > 0 && ports.every((port) => port === 8003), `${ports}`);
});

t.test('the next connection on the same ports is reported with its own translation', async (t) => {
  t.same(await reachedPorts('a port used again'), [8001, 8002]);
});
