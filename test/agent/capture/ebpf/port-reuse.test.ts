// Each of many connections on few ports is one connection from its SYN to its end, however the reading of the tables falls.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import type { PortReuse } from './port-reuse.ts';

const script = new URL('port-reuse.ts', import.meta.url).pathname;
const connections = 300_000;
const packetsEach = 6;

for (const source of ['ebpf', 'tap']) {
  t.test(
    `${source}: ${connections} connections on 500 ports keep their beginning on the wire`,
    { timeout: 180_000 },
    async (t) => {
      const unshare = process.getuid?.() === 0 ? '-n' : '-rn';
      const words = [unshare, '--kill-child', process.execPath, script, source, String(connections)];
      const { stdout } = await promisify(execFile)('unshare', words, { timeout: 170_000 });
      const found = JSON.parse(stdout) as PortReuse;
      // On a busy machine the ring may be full: then whole connections are lost, and counted.
      const { 'ring-full': lostPackets = 0, ...otherLosses } = found.lost;
      t.same(otherLosses, {});
      t.same(found.wrong, {}, found.examples.join('\n'));
      t.equal(
        found.connections * packetsEach + lostPackets,
        connections * packetsEach,
        'each is there or counted as lost',
      );
      t.ok(found.connections > connections * 0.9, `${found.connections} connections`);
      t.ok(found.drains > 100, `read ${found.drains} times`);
    },
  );
}
