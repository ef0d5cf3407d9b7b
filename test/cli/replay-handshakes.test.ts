// A capture in which both ends send a SYN (RFC 9293 3.5): one connection of the end whose SYN came first, and one finding.
import t from 'tap';
import { pcapFile } from '../scene/captures.ts';
import { ethernet, ip4, tcp } from '../scene/packets.ts';
import { ingressPolicy, shop } from '../scene/pipeline.ts';
import { db, t0, web } from '../scene/records.ts';
import { replayScene, run } from '../scene/replay.ts';

type Step = [from: 'web' | 'db', flags: string, sequence: number, acknowledged?: number];

const data: Step[] = [
  ['web', 'PA', 101, 901],
  ['db', 'PA', 901, 102],
];
const handshakes: Record<string, Step[]> = {
  'a split handshake': [
    ['web', 'S', 100],
    ['db', 'S', 900],
    ['web', 'SA', 100, 901],
    ['db', 'A', 901, 101],
  ],
  'a split handshake after an acknowledgement': [
    ['web', 'S', 100],
    ['db', 'A', 900, 101],
    ['db', 'S', 900],
    ['web', 'SA', 100, 901],
  ],
  'a simultaneous open': [
    ['web', 'S', 100],
    ['db', 'S', 900],
    ['web', 'SA', 100, 901],
    ['db', 'SA', 900, 101],
  ],
};

function captureOf(steps: Step[]): Buffer {
  const frames = steps.map(([from, flags, sequence, acknowledged = 0], i) => {
    const numbers = { sequence, acknowledged };
    const content =
      from === 'web'
        ? ip4(web, db, tcp(40_000, 5432, flags, numbers))
        : ip4(db, web, tcp(5432, 40_000, flags, numbers));
    return { frame: ethernet(content), timeUs: t0 + i * 1000 };
  });
  return pcapFile(frames);
}

for (const [name, steps] of Object.entries(handshakes)) {
  t.test(`${name} that a policy denies is one bypass of its initiator`, async (t) => {
    const { some, cluster, file } = replayScene(t, captureOf([...steps, ...data]));
    const bothDenied = `${shop}---${ingressPolicy('db', '')}---${ingressPolicy('web', '')}`;
    for (const manifests of [cluster, ['--cluster', file('both.yaml', bothDenied)]]) {
      const ran = await run(some, ...manifests, '-o', 'jsonl');
      const findings = ran.out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      t.match(findings, [
        {
          kind: 'bypass',
          severity: 'critical',
          initiator: { workload: 'web' },
          responder: { workload: 'db' },
          port: 5432,
          connections: 1,
        },
      ]);
      t.equal(findings.length, 1);
      t.same(ran.err, ['6 packets; connections: denied 1']);
    }
  });
}
