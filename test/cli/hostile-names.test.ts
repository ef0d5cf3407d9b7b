// Names from outside (files, manifests, DNS, agents) never control the terminal and never fake a line, whatever the command.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import type { Finding } from '../../model/finding.ts';
import { apiScene, status } from '../scene/api.ts';
import { pcapFile } from '../scene/captures.ts';
import { connection, podEnd } from '../scene/connections.ts';
import { finding } from '../scene/findings.ts';
import { all, replayScene } from '../scene/replay.ts';

const root = new URL('../../', import.meta.url).pathname;
const waybill = join(root, 'cli/waybill.ts');

/** ESC, BEL, a C1 control sequence, a change of direction, two kinds of line break, and a character beyond 16 bits. */
const evil = 'e\x1b]0;t\x07\x9b31m\u202e\u2028\u{e0041}\nforged: line';
const forbidden = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u;

type Ran = { code: number; out: string; err: string };

async function run(args: readonly string[], env: Record<string, string> = {}, input = ''): Promise<Ran> {
  const child = spawn(process.execPath, [waybill, ...args], { env: { PATH: process.env.PATH, ...env }, stdio: 'pipe' });
  child.stdin.on('error', () => undefined).end(input);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number, out, err };
}

/** Checks both outputs, and that the run showed the hostile text at all. */
function isHarmless(t: Test, { out, err }: Ran, name: string): void {
  for (const [stream, shown] of Object.entries({ out, err })) {
    t.notMatch(shown, forbidden, `${name}: ${stream} has no control characters`);
    t.notMatch(shown, /^ *-? *forged/m, `${name}: ${stream} has no forged line`);
  }
  t.match(out + err, /0;t/, `${name}: the hostile text is shown`);
}

const quoted = JSON.stringify(evil);
const manifests = `
{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }
---
{ apiVersion: v1, kind: Pod, metadata: { name: web, namespace: shop, labels: { app: web } }, spec: { containers: [] } }
---
{ apiVersion: v1, kind: Pod, metadata: { name: db, namespace: shop, labels: { app: db } }, spec: { containers: [] } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec: { podSelector: { matchLabels: { app: db } }, ingress: [{ from: [{ podSelector: { matchLabels: { app: ${quoted} } } }] }] }
---
{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: ${quoted}, namespace: shop }, spec: { podSelector: {} } }
---
{ apiVersion: networking.k8s.io/v1, kind: ${quoted}, metadata: { name: other, namespace: shop } }
---
{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: odd, namespace: shop }, spec: { ${quoted}: 1, podSelector: { matchLabels: { ${quoted}: a } } } }
`;

/** A folder with a hostile name that holds manifests with hostile names, in a file with a hostile name. */
function hostileFolder(t: Test): string {
  const folder = join(t.testdir(), evil);
  mkdirSync(folder);
  writeFileSync(join(folder, `${evil}.yaml`), manifests);
  writeFileSync(join(folder, 'others.yaml'), 'apiVersion: x/v1\nkind: Config\nmetadata: { name: a }\n');
  return folder;
}

t.jobs = 2;

t.test('verdict, lint and connectivity', { buffered: true }, async (t) => {
  const folder = hostileFolder(t);
  const cluster = ['--cluster', folder];
  const question = ['--from', 'shop/web', '--to', 'shop/db', '--port', '5432'];
  for (const output of ['table', 'json', 'jsonl', 'yaml'])
    isHarmless(t, await run(['verdict', ...cluster, ...question, '-o', output]), `verdict -o ${output}`);
  isHarmless(t, await run(['verdict', ...cluster, '--from', evil, '--to', 'shop/db', '--port', '1']), 'verdict --from');
  const batch = [
    { id: evil, from: 'shop/web', to: 'shop/db', port: 5432 },
    { id: [evil], from: evil, to: evil },
  ];
  const answers = await run(['verdict', ...cluster, '--batch'], {}, batch.map((one) => JSON.stringify(one)).join('\n'));
  isHarmless(t, answers, 'verdict --batch');
  t.same(
    answers.out.split('\n', 2).map((line) => JSON.parse(line).id),
    [evil, [evil]],
    'the id is returned unchanged',
  );
  for (const output of ['table', 'wide', 'json', 'jsonl', 'yaml', 'compact'])
    isHarmless(t, await run(['lint', ...cluster, '-o', output]), `lint -o ${output}`);
  for (const output of ['table', 'json', 'jsonl', 'dot'])
    isHarmless(
      t,
      await run(['connectivity', ...cluster, '-o', output, '--color', 'always']),
      `connectivity -o ${output}`,
    );
  isHarmless(t, await run(['connectivity', ...cluster, '-n', evil]), 'connectivity --namespace');
  isHarmless(t, await run(['connectivity', ...cluster, '--diff', join(folder, 'none')]), 'connectivity --diff');
});

t.test('replay', { buffered: true }, async (t) => {
  const folder = hostileFolder(t);
  const { file } = replayScene(t);
  const capture = file(`${evil}.pcap`, pcapFile(all).subarray(0, 100));
  for (const output of ['table', 'wide', 'json', 'jsonl', 'yaml', 'compact'])
    isHarmless(t, await run(['replay', capture, '--cluster', folder, '-o', output]), `replay -o ${output}`);
  isHarmless(t, await run(['replay', join(folder, 'none.pcap'), '--cluster', folder]), 'replay of a missing file');
});

t.test('findings, flows and status, also from a hostile collector', { buffered: true }, async (t) => {
  const end = podEnd(`${evil}/${evil}`, { node: evil });
  const outside = { kind: 'external', zone: evil, names: [evil] } as const;
  const explanation = `${evil.replace('\n', ' ')}\nnetwork: ${evil.replace('\n', ' ')}`;
  const findings: Finding[] = [
    finding({ explanation, initiator: end, responder: outside, evidence: { [evil]: evil } }),
    finding({ id: evil.replaceAll(/\s/g, ''), initiator: { kind: 'node', node: evil } }),
  ];
  const connections = [connection({ initiator: end, responder: outside, verdict: 'unknown', unknownReason: evil })];
  const scene = await apiScene(t, { findings, connections });
  const at = (name: string) => `${scene.folder}/${name}`;
  const tls = { WAYBILL_TLS_CA: at('ca.crt'), WAYBILL_TLS_CERT: at('client.crt'), WAYBILL_TLS_KEY: at('client.key') };
  const env = { ...tls, WAYBILL_COLLECTOR: scene.url };
  for (const verb of ['findings', 'flows']) {
    for (const output of ['table', 'wide', 'json', 'jsonl', 'yaml', 'compact']) {
      const ran = await run([verb, '-o', output, '--color', output === 'jsonl' ? 'always' : 'never'], env);
      isHarmless(t, ran, `${verb} -o ${output}`);
    }
  }
  const response = await fetchText(scene, '/v1/findings');
  t.notMatch(response, forbidden, 'the API itself');
  t.equal(JSON.parse(response)[0].explanation, explanation, 'the parsed value is unchanged');
  const yaml = (await run(['findings', '-o', 'yaml'], env)).out;
  t.equal(parse(yaml)[0].explanation, explanation, 'the parsed YAML is unchanged');
  const raw = `${JSON.stringify(JSON.parse(response)[0])}\n`;
  t.match(raw, forbidden, 'another program may write JSON without escapes');
  const again = await run(['findings', '--input-file', '-', '-o', 'jsonl'], {}, raw);
  t.equal(JSON.parse(again.out).explanation, explanation, 'which is read again');
  isHarmless(t, await run(['findings', '--namespace', evil, '--last', evil], env), 'a wrong parameter');
  isHarmless(t, await run(['findings', '--input-file', evil], env), 'a missing file');
  isHarmless(t, await run(['findings', '--collector', `https://localhost/${evil}`], env), 'a URL');

  const hostile = {
    ...status,
    version: evil,
    started: evil,
    cluster: { synced: true, problems: [evil] },
    verdicts: { [evil]: 1 },
    nodes: { ...status.nodes, list: [{ node: evil, agent: evil, source: evil, sourceReason: evil }] },
  };
  const server = createHttpsServer(scene.tls('collector'), (request, response: ServerResponse) => {
    if (request.url!.startsWith('/v1/status')) response.end(JSON.stringify(hostile));
    else if (request.url!.includes('follow')) {
      response.write(`${findingLine(findings)}\n`);
      response.end(
        `${JSON.stringify({ id: evil.replaceAll(/\s/g, ''), gone: true })}\n${JSON.stringify({ error: evil })}\n`,
      );
    } else response.writeHead(400).end(JSON.stringify({ error: evil }));
  });
  await once(server.listen(0, 'localhost'), 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const theirs = { ...tls, WAYBILL_COLLECTOR: `https://localhost:${port}` };
  for (const output of ['table', 'json', 'yaml'])
    isHarmless(t, await run(['status', '-o', output], theirs), `status -o ${output}`);
  t.match(parse((await run(['status', '-o', 'yaml'], theirs)).out), { version: evil, verdicts: { [evil]: 1 } });
  isHarmless(t, await run(['flows'], theirs), 'an error of the collector');
  for (const output of ['compact', 'json', 'yaml'])
    isHarmless(t, await run(['findings', '--follow', '-o', output], theirs), `findings --follow -o ${output}`);
});

t.test('programs and their logs, certs, and wrong words', { buffered: true }, async (t) => {
  const folder = hostileFolder(t);
  const certs = join(folder, 'certs');
  isHarmless(t, await run(['certs', '--out', certs, '--server', 'localhost']), 'certs');
  isHarmless(t, await run(['certs', '--out', certs, '--node', evil]), 'certs --node');
  isHarmless(t, await run([evil]), 'an unknown verb');
  isHarmless(t, await run(['findings', `--${evil}`]), 'an unknown flag');
  isHarmless(t, await run(['lint', '--cluster', folder, '--rule', evil]), 'an unknown rule');
  isHarmless(t, await run(['collector', '--config', join(folder, 'none')]), 'a missing config file');
  isHarmless(t, await run(['agent', '--log-level', evil]), 'a wrong setting');
  const taken = createServer();
  await once(taken.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => taken.close());
  const settings = {
    'cluster-manifests': folder,
    'tls-ca': join(certs, 'ca.crt'),
    'tls-cert': join(certs, 'collector.crt'),
    'tls-key': join(certs, 'collector.key'),
    'ingest-listen': '127.0.0.1:0',
    'api-listen': `127.0.0.1:${(taken.address() as { port: number }).port}`,
    'health-listen': '127.0.0.1:0',
    'store-path': join(folder, 'waybill.duckdb'),
  };
  const logged = await run(['collector', ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])]);
  isHarmless(t, logged, 'the log of the collector');
  t.match(logged.out, /"msg":"[^\n]*0;t/, 'it logs the problems of the manifests');
});

t.test('only print.ts writes to stdout and stderr', async (t) => {
  const folders = [
    'cli',
    'agent',
    'collector',
    'cluster',
    'config',
    'certs',
    'lint',
    'connectivity',
    'policy',
    'model',
  ];
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  );
  const sources = files.filter((file) => file.endsWith('.ts') && file !== 'cli/output/print.ts');
  t.ok(sources.length > 100, `${sources.length} files checked`);
  for (const file of sources)
    t.notMatch(readFileSync(join(root, file), 'utf8'), /\bstd(out|err)\.write\(|\bconsole\./, file);
});

/** A finding as JSON, without escapes. */
function findingLine(findings: readonly Finding[]): string {
  const [{ initiator, responder, explanation }] = findings as [Finding];
  const seen = '2026-01-01T00:00:00.000Z';
  return JSON.stringify({
    id: 'f1',
    kind: evil,
    severity: evil,
    initiator,
    responder,
    connections: 1,
    firstSeen: seen,
    lastSeen: seen,
    explanation,
  });
}

async function fetchText(scene: Awaited<ReturnType<typeof apiScene>>, path: string): Promise<string> {
  return text(await scene.open(path));
}
