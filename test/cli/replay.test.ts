import { gzipSync, zstdCompressSync } from 'node:zlib';
import t from 'tap';
import { parse } from 'yaml';
import { pcapFile } from '../scene/captures.ts';
import { ingressPolicy, shop } from '../scene/pipeline.ts';
import { all, bypass, internet, named, replayScene, run, runWithInput, undeclared } from '../scene/replay.ts';

const found = '5 packets; connections: denied 1, undeclared 1';

t.test('the findings of a capture are shown, the most severe first, with a summary', async (t) => {
  const { args } = replayScene(t);
  const ran = await run(...args);
  const [head, first, second, ...more] = ran.out.trimEnd().split('\n');
  t.match(head, /^SEVERITY +KIND +INITIATOR +RESPONDER +PORT /);
  t.match(first, /^critical +bypass +shop\/web +shop\/db +TCP 5432 +cross-node +1 /);
  t.match(second, /^high +undeclared +shop\/db +203\.0\.113\.7 \(internet\) +UDP 443 +egress +1 /);
  t.same(more, []);
  t.same(ran.err, [found]);
  t.equal(ran.code, 0);
});

t.test(
  'an address gets its name from the DNS answers in the capture, and the server if it is not trusted',
  async (t) => {
    const { args } = replayScene(t, pcapFile(named('www.example.com')));
    const [table, trusted, jsonl] = await Promise.all([
      run(...args),
      run(...args, '--dns-servers', '198.51.100.53/32'),
      run(...args, '-o', 'jsonl'),
    ]);
    t.match(table.out, / 203\.0\.113\.7 \(www\.example\.com from 198\.51\.100\.53, internet\) +UDP 443 /);
    t.match(trusted.out, / 203\.0\.113\.7 \(www\.example\.com, internet\) +UDP 443 /);
    const lines = jsonl.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const [, named443] = lines.sort((a, b) => a.port - b.port);
    t.match(named443, {
      responder: { names: [], unverifiedNames: [{ name: 'www.example.com', from: '198.51.100.53' }] },
      explanation: /203\.0\.113\.7 \(www\.example\.com from 198\.51\.100\.53, internet\)/,
    });
    t.same(table.err, ['4 packets; connections: undeclared 2'], 'each packet is counted once');
    t.match(await run(...args, '--dns-servers', 'resolver'), {
      code: 2,
      err: [/^bad-flag: --dns-servers: "resolver" is not a CIDR; /],
    });
  },
);

t.test('json is one list, jsonl has one finding a line, and yaml equals json', async (t) => {
  const { args } = replayScene(t);
  const [json, jsonl, yaml] = await Promise.all(
    ['json', 'jsonl', 'yaml'].map(async (output) => (await run(...args, '-o', output)).out),
  );
  const list = JSON.parse(json!);
  t.hasStrict(list, [
    {
      kind: 'bypass',
      severity: 'critical',
      initiator: { kind: 'pod', namespace: 'shop', workload: 'web' },
      responder: { kind: 'pod', namespace: 'shop', workload: 'db' },
      protocol: 'TCP',
      port: 5432,
      placement: 'cross-node',
      verdict: 'denied',
      outcome: 'established',
      delivered: 'yes',
      connections: 1,
      firstSeen: '2026-01-01T00:00:00.000Z',
      lastSeen: '2026-01-01T00:00:00.002Z',
    },
    {
      kind: 'undeclared',
      severity: 'high',
      initiator: { kind: 'pod', namespace: 'shop', workload: 'db' },
      responder: { kind: 'external', ip: internet, zone: 'internet' },
      protocol: 'UDP',
      port: 443,
      placement: 'egress',
    },
  ]);
  t.equal(list.length, 2);
  for (const one of list) t.ok(one.id && one.explanation && one.sides.length > 0 && one.evidence);
  t.same(
    jsonl!
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    list,
  );
  t.same(parse(yaml!), list);
});

t.test('--declared reports drift from the policies of the cluster', async (t) => {
  const { args, file } = replayScene(t);
  const ran = await run(...args, '--declared', file('git.yaml', ingressPolicy('db', 'web')), '-o', 'jsonl');
  const findings = ran.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.same(
    findings.map(({ kind }) => kind),
    ['bypass', 'undeclared', 'drift'],
  );
  t.match(findings[2], { severity: 'low', verdict: 'denied', evidence: { elsewhere: { verdict: 'allowed' } } });
});

t.test('--fail-on makes the exit code 1 if a finding has at least this severity', async (t) => {
  const { file, args, cluster } = replayScene(t);
  const only = file('only.pcap', pcapFile(undeclared()));
  const codes = await Promise.all([
    run(...args, '--fail-on', 'critical'),
    run(...args, '--fail-on', 'low'),
    run(only, ...cluster, '--fail-on', 'critical'),
    run(only, ...cluster, '--fail-on', 'high'),
  ]);
  t.same(
    codes.map(({ code }) => code),
    [1, 1, 0, 1],
  );
});

t.test('a truncated file is one line, and the packets before the cut are evaluated', async (t) => {
  const { args, some } = replayScene(t, pcapFile([...all, ...bypass(40_001)]).subarray(0, -10));
  const ran = await run(...args, '-o', 'jsonl', '--fail-on', 'critical');
  t.match(ran.out, /^\{.*"kind":"bypass".*"connections":2.*\}\n\{.*"kind":"undeclared".*\}\n$/);
  t.equal(ran.err.length, 2, String(ran.err));
  t.match(
    ran.err[0],
    new RegExp(
      `^capture-file-truncated: ${some}, byte \\d+: the file ends within a packet; read 7 packets before it; `,
    ),
  );
  t.match(ran.err[1], /^7 packets; connections: /);
  t.equal(ran.code, 2, 'an incomplete read overrides --fail-on');
});

t.test('a corrupt packet is one line, and the packets before and after it are evaluated', async (t) => {
  const bytes = pcapFile(all);
  const at = pcapFile(all.slice(0, 2)).length;
  bytes.writeUInt32LE(0xffffffff, at + 8);
  const { args, some } = replayScene(t, bytes);
  const ran = await run(...args, '-o', 'jsonl');
  t.equal(ran.out.trimEnd().split('\n').length, 2);
  t.match(ran.err, [
    new RegExp(
      `^capture-file-corrupt: ${some}, byte ${at}: a packet claims 4294967295 bytes; skipped \\d+ bytes, read 2 `,
    ),
    /^4 packets; /,
  ]);
  t.equal(ran.code, 2);
});

t.test('packets whose place is not certain after invalid bytes are lost, and in no finding', async (t) => {
  const bytes = pcapFile(all);
  const at = pcapFile(all.slice(0, 3)).length;
  const fault = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(77, 0xff), bytes.subarray(at)]);
  const { args, some } = replayScene(t, fault);
  const ran = await run(...args, '-o', 'jsonl');
  t.match(ran.out, /^\{.*"kind":"bypass".*\}\n$/);
  const lost = all.length - 3;
  t.match(ran.err, [
    `capture-file-corrupt: ${some}, byte ${at}: a packet claims 4294967295 bytes; skipped 77 bytes, ` +
      'read 3 packets before them; copy the file again, or capture again',
    new RegExp(`^capture-packets-lost: after-invalid-bytes: ${lost} of ${all.length} packets are in no connection: `),
    /after-invalid-bytes/,
  ]);
  t.equal(ran.code, 2);
});

t.test('ignored packets are counted by reason, and do not make the capture incomplete', async (t) => {
  const { args } = replayScene(t, pcapFile([...all, { frame: Buffer.alloc(60) }]));
  const ran = await run(...args, '--fail-on', 'critical');
  t.same(ran.err, ['6 packets (not in connections: not-ip 1); connections: denied 1, undeclared 1']);
  t.equal(ran.code, 1);
});

t.test('each unreadable file is one line, and the others are evaluated', async (t) => {
  const { file, cluster, some } = replayScene(t);
  const [text, odd] = [
    file('notes.txt', 'no capture'),
    file('odd.pcap', pcapFile([{ frame: Buffer.alloc(60) }], { linkType: 147 })),
  ];
  const ran = await run(`${some}.not`, text, some, odd, ...cluster, '-o', 'jsonl');
  t.equal(ran.out.trimEnd().split('\n').length, 2);
  t.same(ran.err, [
    `capture-file-unreadable: ${some}.not: cannot be read (ENOENT); give the path of a pcap or pcapng file`,
    `capture-file-unknown: ${text}: is neither pcap nor pcapng; give a file that tcpdump -w or Wireshark wrote, also compressed with gzip or zstd`,
    `capture-link-type-unknown: ${odd}: link type 147 is not supported; its packets are lost; ` +
      'capture on an Ethernet or raw IP interface, or on any',
    '6 packets (not in connections: unknown-link-type 1); connections: denied 1, undeclared 1',
  ]);
  t.equal(ran.code, 2);
});

t.test('a broken manifest is one line, and the rest is evaluated', async (t) => {
  const { file, some } = replayScene(t);
  const manifests = file('broken.yaml', `${shop}---${ingressPolicy('db', '')}---\nkind: [oops\n`);
  const ran = await run(some, '--cluster', manifests, '-o', 'jsonl');
  t.equal(ran.out.trimEnd().split('\n').length, 2);
  t.equal(ran.err.length, 2, String(ran.err));
  t.match(ran.err[0], /^bad-yaml: .*broken\.yaml.*; /);
  t.equal(ran.err[1], found);
  t.equal(ran.code, 2, 'the unreadable object may be a policy');
  const declared = await run(some, '--cluster', file('sound.yaml', shop), '--declared', manifests);
  t.equal(declared.code, 2);
});

t.test('several files are one capture, and their connections add up', async (t) => {
  const { file, cluster } = replayScene(t);
  const files = [40_000, 40_001].map((port) => file(`${port}.pcap`, pcapFile(bypass(port))));
  const [finding, ...more] = JSON.parse((await run(...files, ...cluster, '-o', 'json')).out);
  t.equal(finding.connections, 2);
  t.same(more, []);
});

t.test('--max-connections limits the tracked connections, and packets beyond it are counted', async (t) => {
  const { args } = replayScene(t);
  const ran = await run(...args, '--max-connections', '1');
  t.equal(ran.err.length, 2);
  t.match(ran.err[0], /^capture-packets-lost: table-full: 2 of 5 packets are .*; raise --max-connections, or /);
  t.equal(ran.err[1], '5 packets (not in connections: table-full 2); connections: denied 1');
  t.equal(ran.code, 2);
});

t.test('--option takes one value, so a file may follow it', async (t) => {
  const { some, cluster } = replayScene(t);
  const ran = await run('--option', 'declaredBy=every', some, ...cluster);
  t.equal(ran.code, 0, ran.err.join('\n'));
});

t.test('- is stdin, also compressed, beside other files', async (t) => {
  const { file, cluster } = replayScene(t);
  const other = file('other.pcap', pcapFile(bypass(40_001)));
  const capture = pcapFile(all);
  const whole = await runWithInput(capture, '-', ...cluster, '-o', 'jsonl');
  t.same(whole.err, [found]);
  t.equal(whole.code, 0);
  for (const input of [gzipSync(capture), zstdCompressSync(capture)]) {
    t.same(await runWithInput(input, '-', ...cluster, '-o', 'jsonl'), whole);
  }
  const two = await runWithInput(capture, other, '-', ...cluster, '-o', 'jsonl');
  t.match(two.out, /"kind":"bypass".*"connections":2/);
  const manifests = await runWithInput(`${shop}---${ingressPolicy('db', '')}`, other, '--cluster', '-', '-o', 'jsonl');
  t.match(manifests.out, /"kind":"bypass"/);
});

t.test('stdin that is empty, no capture, or given twice is one line', async (t) => {
  const { some, cluster } = replayScene(t);
  t.match(await runWithInput('', '-', ...cluster), { code: 2, err: [/^capture-file-unknown: -: /, /^0 packets; /] });
  t.match(await runWithInput('no capture', '-', ...cluster), {
    code: 2,
    err: [/^capture-file-unknown: -: /, /^0 packets; /],
  });
  for (const args of [
    ['-', '-', ...cluster],
    [some, '-', '--cluster', '-'],
    [some, ...cluster, '--declared', '-', '-'],
  ]) {
    t.match(await runWithInput('', ...args), {
      code: 2,
      err: ['bad-flag: -: stdin can be read only once; give files or folders for the others'],
    });
  }
});

t.test('a truncated compressed file is one line, and the packets before the cut are evaluated', async (t) => {
  const compressed = gzipSync(pcapFile([...all, ...bypass(40_001)]), { level: 0 });
  const { args } = replayScene(t, compressed.subarray(0, -30));
  const ran = await run(...args, '-o', 'jsonl', '--fail-on', 'critical');
  t.match(ran.out, /"kind":"bypass"/);
  t.match(ran.err, [
    /^capture-file-truncated: .*: its gzip content ends too early; read 7 packets before it; /,
    /^7 packets; /,
  ]);
  t.equal(ran.code, 2);
});
