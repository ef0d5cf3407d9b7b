// What each live source reports of DNS packets over real interfaces: the queries that leave the pod and the replies that
// enter it, with their ends.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { dnsQuery, withLength } from '../../../../lab/programs/dns-message.ts';
import { type Body, ethernet, ip4, ip6, join as joined, middle, tcp, udp } from '../../../scene/packets.ts';
import { withoutNamespaces } from '../../../scene/pod-link.ts';

const script = new URL('dns-exchange.ts', import.meta.url).pathname;
const [pod, server] = ['10.0.1.2', '10.96.0.10'];
const [pod6, server6] = ['fd00::2', 'fd00:96::a'];

type Sent = { pod: 1 | 2; from: 'pod' | 'node'; frame: Buffer; times?: number };

/** Events of the packets, without those that begin and end the watch. */
function reported(t: Test, source: string, sent: readonly Sent[]): Promise<string[]> {
  const file = join(t.testdir({}), 'frames.json');
  const frames = sent.map(({ frame, from, times = 1, pod }) => {
    // The hardware address of the pod is the source of its own frames, and the destination of others.
    const [to, by] = [frame.subarray(0, 6), frame.subarray(6, 12)];
    const addressed = from === 'pod' ? frame : joined(by, to, frame.subarray(12));
    return { pod, from, frame: addressed.toString('hex'), times };
  });
  writeFileSync(file, JSON.stringify(frames));
  return new Promise((resolve, reject) => {
    const args = ['-n', '--kill-child', process.execPath, script, source, file];
    execFile('unshare', args, { timeout: 120_000, maxBuffer: 1 << 28 }, (error, stdout) => {
      if (error !== null) return reject(error);
      const events = JSON.parse(stdout) as string[];
      resolve(events.filter((event) => !/(watched|forgotten)$/.test(event)));
    });
  });
}

const fromPod = (body: Body, traits = {}): Sent => ({
  pod: 1,
  from: 'pod',
  frame: ethernet(ip4(pod, server, body, traits)),
});
const toPod = (body: Body, traits = {}): Sent => ({
  pod: 1,
  from: 'node',
  frame: ethernet(ip4(server, pod, body, traits)),
});
const segment = (from: number, to: number, flags: string, payload: Buffer, sequence = 5000): Body => {
  const { protocol, bytes } = tcp(from, to, flags, { sequence });
  return { protocol, bytes: joined(bytes, payload) };
};
const query = dnsQuery('www.example.com', 7);
const hex = query.toString('hex');
const long = Buffer.alloc(1300, 7);

for (const source of ['ebpf', 'tap', 'pcap']) {
  t.test(
    `${source}: queries from the pod and replies to it, and nothing else`,
    { skip: withoutNamespaces },
    async (t) => {
      const events = await reported(t, source, [
        fromPod(udp(40_000, 53, query)),
        toPod(udp(53, 40_000, query)),
        { pod: 2, from: 'pod', frame: ethernet(ip6(pod6, server6, udp(40_000, 53, query))) },
        { pod: 2, from: 'node', frame: ethernet(ip6(server6, pod6, udp(53, 40_000, query))) },
        toPod(segment(53, 40_001, 'SA', Buffer.alloc(0))),
        fromPod(segment(40_001, 53, 'PA', withLength(query))),
        toPod(segment(53, 40_001, 'PA', withLength(query), 5001)),
        toPod(udp(53, 40_002, long)),
        fromPod(udp(40_003, 53, Buffer.alloc(3))),
        { ...toPod(udp(53, 40_004, query)), frame: joined(toPod(udp(53, 40_004, query)).frame, 6) }, // padded
        // Not reported as a query or reply: the pod as a server, other ports, segments without data, a later fragment.
        fromPod(udp(53, 40_000, query)),
        toPod(udp(40_000, 53, query)),
        toPod(udp(5353, 40_000, query)),
        fromPod(segment(40_001, 53, 'S', Buffer.alloc(0))),
        fromPod(segment(40_001, 53, 'A', Buffer.alloc(0))),
        toPod(segment(53, 40_001, 'A', Buffer.alloc(0), 5001)),
        toPod(middle(17), { offset: 1480, id: 9 }),
        fromPod(udp(40_009, 53, query)),
      ]);
      const tcpHex = withLength(query).toString('hex');
      const whole = `1 17 ${pod} 40002 < ${server} 0 ${long.toString('hex')}`;
      t.ok(
        events.some((event) => whole.startsWith(event) && event.length > 2000),
        'the beginning of a long reply',
      );
      t.same(
        events.filter((event) => !event.includes(' 40002 ') && !event.includes('itself')),
        [
          `1 17 ${pod} 40000 > ${server} 0 ${hex}`,
          `1 17 ${pod} 40000 < ${server} 0 ${hex}`,
          `1 6 ${pod} 40001 < ${server} 5000 `,
          `1 6 ${pod} 40001 > ${server} 5000 ${tcpHex}`,
          `1 6 ${pod} 40001 < ${server} 5001 ${tcpHex}`,
          `1 17 ${pod} 40003 > ${server} 0 000000`,
          `1 17 ${pod} 40004 < ${server} 0 ${hex}`,
          `1 17 ${pod} 40009 > ${server} 0 ${hex}`,
          `2 17 ${pod6} 40000 > ${server6} 0 ${hex}`,
          `2 17 ${pod6} 40000 < ${server6} 0 ${hex}`,
        ].sort((a, b) => events.indexOf(a) - events.indexOf(b)),
      );
    },
  );

  t.test(
    `${source}: a reply that the pod sends to itself, before and after its query`,
    { skip: withoutNamespaces },
    async (t) => {
      const forged = (port: number): Sent[] => {
        const frame = ethernet(ip4(server, pod, udp(53, port, query)));
        return [
          { pod: 1, from: 'pod', frame },
          { pod: 1, from: 'node', frame },
        ];
      };
      const ask = (port: number) => fromPod(udp(port, 53, query));
      const events = await reported(t, source, [ask(40_010), ...forged(40_010), ...forged(40_011), ask(40_011)]);
      for (const port of [40_010, 40_011]) {
        t.ok(events.includes(`1 itself > ${pod} ${port} as ${server} true`), String(port));
        t.ok(events.includes(`1 17 ${pod} ${port} > ${server} 0 ${hex}`), 'the query');
      }
    },
  );

  t.test(
    `${source}: a pod that floods queries displaces none of another pod`,
    { skip: withoutNamespaces },
    async (t) => {
      const flood: Sent = { ...fromPod(udp(40_000, 53, query)), times: 50_000 };
      const others = Array.from({ length: 20 }, (_, i): Sent[] => [
        { pod: 2, from: 'pod', frame: ethernet(ip4(pod, server, udp(41_000 + i, 53, query))) },
        { pod: 2, from: 'node', frame: ethernet(ip4(server, pod, udp(53, 41_000 + i, query))) },
      ]).flat();
      const events = await reported(t, source, [flood, ...others, { ...flood, times: 50_000 }]);
      t.equal(events.filter((event) => event.startsWith('2 17')).length, 40, 'every packet of the other pod');
      t.notOk(events.includes('2 missed'));
      const seen = events.filter((event) => event.startsWith('1 17')).length;
      t.ok(seen === 100_000 || events.includes('1 missed'), `${seen} of the flood, the rest is reported as missed`);
    },
  );
}
