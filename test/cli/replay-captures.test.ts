// Captures as people have them: rotated, with late packets, in tiny fragments, with short snap lengths, of loopback
// interfaces. Each connection counts once, with the right finding.
import t from 'tap';
import { type Captured, pcapFile } from '../scene/captures.ts';
import { type Body, cooked2, ethernet, fragment6, ip4, ip6, tcp, udp, vxlan } from '../scene/packets.ts';
import { ingressPolicy, podManifest, shop } from '../scene/pipeline.ts';
import { db, second, t0, web } from '../scene/records.ts';
import { type Ran, replayScene, run } from '../scene/replay.ts';

type Step = [atSeconds: number, from: 'web' | 'db', body: Body];

/** web to db, which a policy denies. Data flows until `endAt`. */
function connection(endAt = 0.01): Step[] {
  const data: Step[] = [];
  for (let at = 10; at < endAt; at += 10)
    data.push([at, 'web', tcp(40_000, 5432, 'PA', { sequence: 101, acknowledged: 901 })]);
  return [
    [0, 'web', tcp(40_000, 5432, 'S', { sequence: 100 })],
    [0.001, 'db', tcp(5432, 40_000, 'SA', { sequence: 900, acknowledged: 101 })],
    [0.002, 'web', tcp(40_000, 5432, 'A', { sequence: 101, acknowledged: 901 })],
    ...data,
    [endAt, 'web', tcp(40_000, 5432, 'FA', { sequence: 101, acknowledged: 901 })],
    [endAt + 0.001, 'db', tcp(5432, 40_000, 'FA', { sequence: 901, acknowledged: 102 })],
    [endAt + 0.002, 'web', tcp(40_000, 5432, 'A', { sequence: 102, acknowledged: 902 })],
  ];
}

/** Packets of others that let time pass. */
function heartbeat(untilSeconds: number): Captured[] {
  const beats: Captured[] = [];
  for (let at = 0.5; at < untilSeconds; at += 1) {
    beats.push({ frame: ethernet(ip4('192.0.2.9', '192.0.2.8', udp(7, 7))), timeUs: t0 + at * second });
  }
  return beats;
}

function frames(steps: readonly Step[]): Captured[] {
  return steps.map(([at, from, body]) => ({
    frame: ethernet(from === 'web' ? ip4(web, db, body) : ip4(db, web, body)),
    timeUs: t0 + Math.round(at * second),
  }));
}

function inOrder(...captured: readonly Captured[][]): Captured[] {
  return captured.flat().sort((a, b) => a.timeUs! - b.timeUs!);
}

function findings({ out }: Ran) {
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

const oneBypass = { kind: 'bypass', severity: 'critical', initiator: { workload: 'web' }, port: 5432, connections: 1 };

t.test('late FINs and a repeated last ACK are part of the connection', async (t) => {
  const fin: Step[1] = 'db';
  const late: Step[] = [5, 12, 25, 50].flatMap((at): Step[] => [
    [at, fin, tcp(5432, 40_000, 'FA', { sequence: 901, acknowledged: 102 })],
    [at + 0.01, 'web', tcp(40_000, 5432, 'A', { sequence: 102, acknowledged: 902 })],
  ]);
  for (const others of [[], heartbeat(90)]) {
    const { args } = replayScene(t, pcapFile(inOrder(frames([...connection(), ...late]), others)));
    const found = findings(await run(...args, '-o', 'jsonl'));
    t.match(found, [{ ...oneBypass, evidence: { observedOn: [{ packets: { forward: 8, reverse: 6 } }] } }]);
    t.equal(found.length, 1);
  }
});

t.test('a connection that lasts for longer than the idle time counts once', async (t) => {
  const { args } = replayScene(t, pcapFile(inOrder(frames(connection(900)), heartbeat(1000))));
  const found = findings(await run(...args, '-o', 'jsonl'));
  t.match(found, [oneBypass]);
  t.equal(found.length, 1);
});

t.test('rotated files are the same as one file, wherever they were rotated', async (t) => {
  const all = inOrder(frames(connection(20)), heartbeat(40));
  const { file, args } = replayScene(t, pcapFile(all));
  const whole = await run(...args, '-o', 'jsonl');
  t.match(findings(whole), [oneBypass]);
  for (const cut of [1, 2, 3, 20]) {
    const parts = [all.slice(0, cut), all.slice(cut)].map((part, i) => file(`${cut}-${i}.pcap`, pcapFile(part)));
    const ran = await run(...parts, ...args.slice(1), '-o', 'jsonl');
    t.equal(ran.out, whole.out, `after ${cut} packets`);
    t.same(ran.err, whole.err);
  }
});

t.test(
  'a connection in tiny fragments has its initiator and its answer, also if only one end sends fragments',
  async (t) => {
    for (const senders of [['web'], ['db'], ['web', 'db']]) {
      const tiny = connection().flatMap(([at, from, body], id): Captured[] => {
        const ends = from === 'web' ? ([web, db] as const) : ([db, web] as const);
        const timeUs = t0 + Math.round(at * second);
        if (!senders.includes(from)) return [{ frame: ethernet(ip4(ends[0], ends[1], body)), timeUs }];
        return [0, 8, 16].map((offset) => {
          const bytes = body.bytes.subarray(offset, offset < 16 ? offset + 8 : undefined);
          return {
            frame: ethernet(ip4(ends[0], ends[1], { ...body, bytes }, { id, offset, more: offset < 16 })),
            timeUs,
          };
        });
      });
      const { args } = replayScene(t, pcapFile(tiny));
      const found = findings(await run(...args, '-o', 'jsonl'));
      t.match(found, [{ ...oneBypass, outcome: 'established', delivered: 'yes' }], String(senders));
      t.equal(found.length, 1);
    }
  },
);

t.test('fragments in the opposite order have their ports', async (t) => {
  const whole = udp(50_000, 5432, 3000);
  const parts = [2960, 1480, 0].map((offset, i) => ({
    frame: ethernet(
      ip4(
        web,
        db,
        { ...whole, bytes: whole.bytes.subarray(offset, offset + 1480) },
        { id: 9, offset, more: offset < 2960 },
      ),
    ),
    timeUs: t0 + i,
  }));
  const { args } = replayScene(t, pcapFile(parts));
  const ran = await run(...args, '-o', 'jsonl');
  t.match(findings(ran), [
    { kind: 'blocked', protocol: 'UDP', port: 5432, evidence: { observedOn: [{ packets: { forward: 3 } }] } },
  ]);
  t.same(ran.err, ['3 packets; connections: denied 1']);
});

t.test('a snap length that cuts the header leaves the ports, and an answer is still an answer', async (t) => {
  const tunnelled = frames(connection()).map(({ frame, timeUs }) => ({
    frame: ethernet(ip4('192.0.2.1', '192.0.2.2', udp(55_555, 8472, vxlan(frame)))),
    timeUs: timeUs!,
  }));
  const cutTo = (captured: readonly Captured[], bytes: number) =>
    pcapFile(captured.map(({ frame, timeUs }) => ({ frame: frame.subarray(0, bytes), timeUs, length: frame.length })));
  const { file, cluster } = replayScene(t);
  const cases: [Buffer, string][] = [
    [cutTo(tunnelled, 96), 'high'],
    [cutTo(tunnelled, 98), 'critical'],
    [cutTo(frames(connection()), 46), 'high'],
    [cutTo(frames(connection()), 48), 'critical'],
  ];
  for (const [i, [capture, severity]] of cases.entries()) {
    const ran = await run(file(`${i}.pcap`, capture), ...cluster, '-o', 'jsonl');
    t.match(findings(ran), [{ ...oneBypass, severity, outcome: 'established' }], String(i));
    t.equal(ran.code, 0);
  }
  const refused: Step[] = [0, 1, 3].flatMap((at): Step[] => [
    [at, 'web', tcp(40_000, 5432, 'S', { sequence: 100 })],
    [at + 0.001, 'db', tcp(5432, 40_000, 'RA', { sequence: 0, acknowledged: 101 })],
  ]);
  const ran = await run(file('refused.pcap', cutTo(frames(refused), 46)), ...cluster, '-o', 'jsonl');
  t.match(findings(ran), [{ kind: 'blocked' }], 'refusals are no answer');

  const withData: Step[] = [
    [1, 'web', tcp(40_000, 5432, 'PA', { payload: 10 })],
    [1.001, 'db', tcp(5432, 40_000, 'PA', { payload: 10 })],
  ];
  for (const steps of [withData, [[0, 'web', tcp(40_000, 5432, 'S')], ...withData] satisfies Step[]]) {
    const short = await run(file('short.pcap', cutTo(frames(steps), 38)), ...cluster, '-o', 'jsonl');
    t.match(findings(short), [{ kind: 'bypass', outcome: 'established' }], 'data from both ends');
  }
  const askedWithData: Step[] = [0, 1, 3].flatMap((at): Step[] => [
    [at, 'web', tcp(40_000, 5432, 'S', { payload: 20 })],
    [at + 0.001, 'db', tcp(5432, 40_000, 'RA')],
  ]);
  const shortRefusal = await run(file('none.pcap', cutTo(frames(askedWithData), 38)), ...cluster, '-o', 'jsonl');
  t.match(findings(shortRefusal), [{ kind: 'blocked' }], 'refusals have neither options nor data');
});

t.test('an IPv6 header that ends within TCP has its ports', async (t) => {
  const manifests = `${shop}---${podManifest('six', 'n1', '2001:db8::1')}---${podManifest('seven', 'n2', '2001:db8::2')}---${ingressPolicy('seven', '')}`;
  const captured = connection().map(([at, from, body]): Captured => {
    const ends = from === 'web' ? (['2001:db8::1', '2001:db8::2'] as const) : (['2001:db8::2', '2001:db8::1'] as const);
    const frame = ethernet(ip6(ends[0], ends[1], body));
    return { frame: frame.subarray(0, 68), length: frame.length, timeUs: t0 + at * second };
  });
  const tiny = ethernet(
    ip6(
      '2001:db8::1',
      '2001:db8::2',
      fragment6({ protocol: 6, bytes: Buffer.alloc(8) }, { id: 3, offset: 8, more: true }),
    ),
  );
  const { file } = replayScene(t);
  const cluster = ['--cluster', file('six.yaml', manifests)];
  const ran = await run(file('six.pcap', pcapFile(captured)), ...cluster, '-o', 'jsonl');
  t.match(findings(ran), [{ kind: 'bypass', severity: 'critical', port: 5432, connections: 1 }]);
  const lost = await run(file('lost.pcap', pcapFile([...captured, { frame: tiny }])), ...cluster, '-o', 'jsonl');
  t.match(lost.err[0], /^capture-packets-lost: fragment-without-first: 1 of 7 packets /);
});

t.test('loopback traffic and connections of others are no finding', async (t) => {
  const between = (from: string, to: string, answer: boolean): Captured[] => {
    const make = from.includes(':') ? ip6 : ip4;
    return [
      { frame: cooked2(make(from, to, tcp(40_000, 10_250, 'S', { sequence: 1 })), 1), timeUs: t0 },
      ...(answer
        ? [
            {
              frame: cooked2(make(to, from, tcp(10_250, 40_000, 'SA', { sequence: 5, acknowledged: 2 })), 1),
              timeUs: t0 + 1,
            },
          ]
        : []),
      { frame: cooked2(make(from, to, udp(40_000, 8125)), 1), timeUs: t0 + 2 },
    ];
  };
  const { file, cluster } = replayScene(t);
  for (const [from, to] of [
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1', '127.0.0.53'],
    ['::1', '::1'],
    ['203.0.113.5', '198.51.100.7'],
    ['192.168.7.7', '203.0.113.5'],
    ['203.0.113.5', '127.0.0.1'],
  ] as const) {
    const ran = await run(
      file('one.pcap', pcapFile(between(from, to, true), { linkType: 276 })),
      ...cluster,
      '-o',
      'jsonl',
    );
    t.equal(ran.out, '', `${from} to ${to}`);
    t.equal(ran.code, 0);
  }
  const ours = between(db, '203.0.113.5', true);
  const ran = await run(file('ours.pcap', pcapFile(ours, { linkType: 276 })), ...cluster, '-o', 'jsonl');
  t.same(
    findings(ran).map(({ kind }) => kind),
    ['undeclared', 'undeclared'],
    'a pod of the cluster is one',
  );
});
