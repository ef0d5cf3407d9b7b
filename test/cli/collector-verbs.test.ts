import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { createServer as createSecureServer } from 'node:tls';
import t, { type Test } from 'tap';
import { makeCertificates } from '../../certs/make.ts';
import { CollectorClient } from '../../cli/collector-client.ts';
import { followLimits } from '../../collector/api/follow.ts';
import type { Finding } from '../../model/finding.ts';
import { type ApiScene, apiScene } from '../scene/api.ts';
import { connection, podEnd } from '../scene/connections.ts';
import { finding } from '../scene/findings.ts';

const waybill = new URL('../../cli/waybill.ts', import.meta.url).pathname;
const blocked = finding({ id: 'f2', kind: 'blocked', severity: 'medium', initiator: podEnd('bank/web') });

type Result = { code: number | null; out: string; err: string };

/** Runs as a user of the scene's collector, with no other variables than `env`. */
function start(
  scene: Pick<ApiScene, 'url' | 'folder'>,
  args: string[],
  env: Record<string, string> = {},
): ChildProcess {
  const own = {
    PATH: process.env.PATH,
    WAYBILL_COLLECTOR: scene.url,
    WAYBILL_TLS_CA: `${scene.folder}/ca.crt`,
    WAYBILL_TLS_CERT: `${scene.folder}/client.crt`,
    WAYBILL_TLS_KEY: `${scene.folder}/client.key`,
  };
  return spawn(process.execPath, [waybill, ...args], { env: { ...own, ...env }, stdio: 'pipe' });
}

async function run(
  scene: Pick<ApiScene, 'url' | 'folder'>,
  args: string[],
  { env = {}, input = '' }: { env?: Record<string, string>; input?: string } = {},
): Promise<Result> {
  const child = start(scene, args, env);
  child.stdin!.end(input);
  const [out, err, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')]);
  return { code, out, err };
}

/** A failure is one line with its fix, and exit code 2. */
function oneLine(t: Test, { code, out, err }: Result, expected: RegExp): void {
  t.equal(code, 2);
  t.equal(out, '');
  t.match(err, expected);
  t.match(err, /^[^\n]+; [^\n]+\n$/, 'the failure is one line with its fix');
}

/** A fake collector that answers with `answer`. */
async function answering(t: Test, { folder, tls }: ApiScene, answer: (response: ServerResponse) => void) {
  const server = createHttpsServer(tls('collector'), (_, response) => answer(response));
  await once(server.listen(0, 'localhost'), 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { folder, url: `https://localhost:${(server.address() as { port: number }).port}` };
}

t.test('findings and flows are shown in every format', async (t) => {
  const scene = await apiScene(t, { findings: [finding(), blocked], connections: [connection()] });
  const table = await run(scene, ['findings']);
  t.match(table, { code: 0, err: '' });
  t.match(
    table.out,
    /^SEVERITY +KIND +INITIATOR .*\ncritical +bypass +shop\/web +shop\/db +TCP 5432 .*\nmedium +blocked/,
  );
  const wide = await run(scene, ['findings', '-o', 'wide', '--kind', 'bypass']);
  t.match(wide.out, /\n {4}shop\/web -> shop\/db TCP 5432 is denied by policy, and the network delivered it\.\n$/);
  const json = await run(scene, ['findings', '-o', 'json']);
  t.match(JSON.parse(json.out), [{ id: 'f1', severity: 'critical' }, { id: 'f2' }]);
  const jsonl = await run(scene, ['flows', '-o', 'jsonl']);
  t.match(JSON.parse(jsonl.out), { id: 'c1', protocol: 'TCP' });
  t.match((await run(scene, ['flows', '-o', 'yaml'])).out, /^- id: c1\n {2}start: "2026-01-01T00:00:00\.000Z"\n/);
  t.match(
    (await run(scene, ['flows', '-o', 'compact'])).out,
    /^\S+ shop\/web -> shop\/db TCP 5432 allowed established/,
  );
  t.match((await run(scene, ['flows', '-n', 'nowhere'])).out, /^no flows\n$/);
});

t.test('repeated flags match any value, different flags must all match, and each has a variable', async (t) => {
  const scene = await apiScene(t, { findings: [finding(), blocked] });
  const ids = async (args: string[], env?: Record<string, string>) => {
    const { out } = await run(scene, ['findings', '-o', 'json', ...args], { env: env ?? {} });
    return (JSON.parse(out) as Finding[]).map((one) => one.id);
  };
  t.same(await ids(['--kind', 'bypass', '--kind', 'blocked']), ['f1', 'f2']);
  t.same(await ids(['--kind', 'bypass,blocked', '-n', 'bank']), ['f2']);
  t.same(await ids([], { WAYBILL_NAMESPACE: 'bank,blog' }), ['f2']);
  t.same(await ids(['-A'], { WAYBILL_NAMESPACE: 'bank' }), ['f1', 'f2']);
  t.same(await ids([], { WAYBILL_NAMESPACE: 'bank', WAYBILL_ALL: 'false' }), ['f2']);
  t.same(
    await ids(['--severity', 'critical'], { WAYBILL_SEVERITY: 'medium' }),
    ['f1'],
    'the flag overrides the variable',
  );
});

t.test('findings and flows are filtered by pod, by the end of the pod, and by port', async (t) => {
  const scene = await apiScene(t, { findings: [finding(), blocked], connections: [connection()] });
  const ids = async (args: string[], env: Record<string, string> = {}) => {
    const asked = await run(scene, ['findings', '-o', 'json', ...args], { env });
    const again = await run(scene, ['findings', '-o', 'json', '--input-file', '-', ...args], { env, input: all.out });
    t.equal(again.out, asked.out, 'the same filter on a file');
    return (JSON.parse(asked.out) as Finding[]).map((one) => one.id);
  };
  const all = await run(scene, ['findings', '-o', 'json']);
  t.same(await ids(['--pod', 'shop/web']), ['f1']);
  t.same(await ids(['--pod', 'bank/web,shop/db']), ['f1', 'f2']);
  t.same(await ids(['--from-pod', 'web', '--to-pod', 'shop/db-1']), ['f1', 'f2']);
  t.same(await ids(['--from-pod', 'db']), []);
  t.same(await ids([], { WAYBILL_FROM_POD: 'bank/web' }), ['f2']);
  t.same(await ids(['--port', '80', '--port', '5432'], { WAYBILL_PORT: 'tcp://10.0.0.1:7444' }), ['f1', 'f2']);
  t.same(await ids(['--port', '80']), []);
  t.match((await run(scene, ['flows', '--to-pod', 'shop/web'])).out, /^no flows\n$/);
  oneLine(
    t,
    await run(scene, ['flows', '--pod', 'a/b/c']),
    /^bad-parameter: --pod: "a\/b\/c" is not a name; write it as NAME/,
  );
});

t.test('--fail-on sets the exit code', async (t) => {
  const scene = await apiScene(t, { findings: [blocked] });
  t.equal((await run(scene, ['findings', '--fail-on', 'any'])).code, 1);
  t.equal((await run(scene, ['findings', '--fail-on', 'any', '-n', 'nowhere'])).code, 0);
  t.equal((await run(scene, ['findings', '--fail-on', 'medium'])).code, 1);
  t.equal((await run(scene, ['findings', '--fail-on', 'high'])).code, 0);
});

t.test('a list that --last cuts says that there is more', async (t) => {
  const scene = await apiScene(t, { findings: [finding(), blocked] });
  const { code, out, err } = await run(scene, ['findings', '--last', '1', '-o', 'jsonl']);
  t.equal(code, 0);
  t.equal(out.split('\n').length, 2);
  t.match(err, /showing the newest 1; there are more/);
});

t.test('--follow runs until it is interrupted, even before the first item', async (t) => {
  const scene = await apiScene(t, { findings: [finding()] });
  const child = start(scene, ['findings', '--follow', '-o', 'jsonl']);
  const lines: string[] = [];
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => lines.push(...chunk.trim().split('\n')));
  while (lines.length < 1) await once(child.stdout!, 'data');
  scene.change({ type: 'finding', finding: blocked });
  while (lines.length < 2) await once(child.stdout!, 'data');
  t.same(
    lines.map((line) => JSON.parse(line).id),
    ['f1', 'f2'],
  );
  child.kill('SIGINT');
  t.same(await once(child, 'close'), [0, null]);

  const idle = start(scene, ['flows', '--follow']);
  while (scene.listeners() === 0) await new Promise((resolve) => setImmediate(resolve));
  idle.kill('SIGINT');
  t.same(await once(idle, 'close'), [0, null]);
});

t.test('a followed collector that ends is reported', async (t) => {
  const scene = await apiScene(t, {});
  const child = start(scene, ['flows', '--follow']);
  while (scene.listeners() === 0) await new Promise((resolve) => setImmediate(resolve));
  await scene.close();
  const [err, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')]);
  t.equal(code, 2);
  t.match(
    err,
    /^collector-ended: --collector https:.*: it closed the stream; check that the collector runs, and try again\n$/,
  );
});

t.test('a collector that dies during its answer is not reported as a refused certificate', async (t) => {
  const scene = await apiScene(t, {});
  const died = await answering(t, scene, (response) => {
    response.write('{');
    setTimeout(() => response.socket!.destroy(), 20);
  });
  const ended = /^collector-ended: --collector https:.*: it closed the stream; /;
  oneLine(t, await run(died, ['findings', '--follow']), ended);
  oneLine(t, await run(died, ['findings']), /^collector-ended: .*: it closed the connection during its answer; /);
});

t.test('a silent collector is given up, and one that sends heartbeats is not', async (t) => {
  const scene = await apiScene(t, { findings: [finding()] }, { ...followLimits, heartbeatIntervalMs: 10 });
  const flags = (url: string) => {
    const at = (name: string) => `${scene.folder}/${name}`;
    return { collector: url, ca: at('ca.crt'), cert: at('client.crt'), key: at('client.key') };
  };
  const idle = await answering(t, scene, (response) => {
    response.setHeader('waybill-heartbeat', 'blank-lines');
    response.write('\n');
  });
  const deaf = new CollectorClient(flags(idle.url), 120);
  const ended = {
    message: /^collector-ended: .*: it sent nothing for 0\.12 s; check that the collector runs, and try again$/,
  };
  const never = new AbortController().signal;
  await t.rejects(deaf.follow('/', new URLSearchParams(), never).next(), ended);
  await t.rejects(deaf.get('/', new URLSearchParams()), ended);

  const old = await answering(t, scene, (response) => {
    response.write('\n');
    setTimeout(() => response.end('{"id":"late"}\n'), 300);
  });
  const patient = new CollectorClient(flags(old.url), 120).follow('/', new URLSearchParams(), never);
  t.match(
    (await patient.next()).value,
    { id: 'late' },
    'an older collector, which sends no heartbeats, is not given up',
  );

  const living = new CollectorClient(flags(scene.url), 120);
  const lines = living.follow('/v1/findings', new URLSearchParams('follow=true'), never);
  t.match((await lines.next()).value, { id: 'f1' });
  setTimeout(() => scene.change({ type: 'finding', finding: blocked }), 300);
  t.match((await lines.next()).value, { id: 'f2' }, 'no blank line before it');
  await lines.return();
});

t.test('it reads its own output again, with the same filters', async (t) => {
  const scene = await apiScene(t, { findings: [finding(), blocked], connections: [connection()] });
  for (const format of ['json', 'jsonl']) {
    const { out } = await run(scene, ['findings', '-o', format]);
    const again = await run(scene, ['findings', '--input-file', '-', '-o', format], { input: out });
    t.equal(again.out, out, format);
    const some = await run(scene, ['findings', '--input-file', '-', '-n', 'bank', '-o', 'jsonl'], { input: out });
    t.match(some.out, /^\{"id":"f2"[^\n]*\n$/);
    const last = await run(scene, ['findings', '--input-file', '-', '--last', '1', '-o', 'jsonl'], { input: out });
    t.match(last, { out: /^[^\n]+\n$/, err: /showing the newest 1 of 2/ });
  }
  const flows = await run(scene, ['flows', '-o', 'jsonl']);
  const wrong = await run(scene, ['findings', '--input-file', '-'], { input: `\n${flows.out}` });
  oneLine(t, wrong, /^bad-input: -:2: it is not the output of this command; /);
  oneLine(t, await run(scene, ['flows', '--input-file', '-'], { input: '{"id":' }), /^bad-input: -:1: /);
  const gone = `${scene.folder}/none.json`;
  oneLine(t, await run(scene, ['flows', '--input-file', gone]), /^bad-input: --input-file .*none\.json: .*ENOENT/);
});

t.test('a wrong flag is reported in one line that names it', async (t) => {
  const nobody = { url: 'https://localhost:9', folder: t.testdir() };
  oneLine(
    t,
    await run(nobody, ['findings', '--last', 'all']),
    /^bad-parameter: --last: "all" is not in the allowed range/,
  );
  oneLine(t, await run(nobody, ['findings', '--kind', 'odd']), /^bad-parameter: --kind: "odd" is not a valid value/);
  oneLine(
    t,
    await run(nobody, ['flows', '--since', 'noon']),
    /^bad-parameter: --since: "noon" is not a time; write it as/,
  );
  oneLine(t, await run(nobody, ['flows', '--kind', 'bypass']), /^bad-usage: .*--kind/);
  oneLine(
    t,
    await run(nobody, ['status', '--collector', 'localhost:7444']),
    /^bad-collector-url: --collector localhost/,
  );
});

t.test(
  'a collector that is unreachable, not trusted or does not trust the client is reported in one line',
  async (t) => {
    const scene = await apiScene(t, {});
    const server = createServer((socket) => socket.end('220 a mail server\r\n'));
    await once(server.listen(0, 'localhost'), 'listening');
    const address = server.address() as { port: number };
    const away = await run(scene, ['status', '--collector', 'https://localhost:9']);
    oneLine(t, away, /^collector-unreachable: --collector https:\/\/localhost:9: nothing listens at this address; /);
    const plain = await run(scene, ['status', '--collector', `https://localhost:${address.port}`]);
    oneLine(t, plain, /^collector-unreachable: .*: the port does not use TLS; /);
    server.close();

    const other = `${scene.folder}/other`;
    await makeCertificates({ folder: other, nodes: [], servers: [], days: 1, overwrite: false });
    const distrust = await run(scene, ['status', '--ca', `${other}/ca.crt`]);
    oneLine(t, distrust, /^collector-not-trusted: .*its certificate is (self-signed|signed by .*); set --ca/);
    const refused = await run(scene, ['status', '--cert', `${other}/client.crt`, '--key', `${other}/client.key`]);
    oneLine(t, refused, /^certificate-refused: .*certificate.*; set --cert and --key/);
    const name = await run(scene, ['status', '--collector', scene.url.replace('localhost', '127.0.0.1')]);
    oneLine(t, name, /^collector-(not-trusted|unreachable): /);
    const agent = [`--cert`, `${scene.folder}/agent-n1.crt`, `--key`, `${scene.folder}/agent-n1.key`];
    oneLine(t, await run(scene, ['status', ...agent]), /^collector-refused: .*agent-certificate: /);
    const mixed = await run(scene, ['status', '--key', `${other}/client.key`]);
    oneLine(t, mixed, /^client-certificate-unusable: --ca, --cert and --key: /);
    const missing = await run(scene, ['status', '--ca', '/nowhere/ca.crt']);
    oneLine(t, missing, /^certificate-unreadable: --ca \/nowhere\/ca\.crt: .*ENOENT/);
  },
);

t.test('an expired certificate is named, with its owner', async (t) => {
  const scene = await apiScene(t, {});
  const ended = `${scene.folder}/ended`;
  await makeCertificates({ folder: ended, nodes: [], servers: ['localhost'], days: -2, overwrite: false });
  const own = ['--cert', `${ended}/client.crt`, '--key', `${ended}/client.key`];
  oneLine(
    t,
    await run(scene, ['status', ...own]),
    /^certificate-expired: --cert .*client\.crt: it expired at .*Z; issue a new/,
  );

  const server = createSecureServer({
    cert: readFileSync(`${ended}/collector.crt`),
    key: readFileSync(`${ended}/collector.key`),
  });
  await once(server.listen(0, 'localhost'), 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const theirs = await run(scene, ['status', '--collector', `https://localhost:${port}`, '--ca', `${ended}/ca.crt`]);
  oneLine(
    t,
    theirs,
    /^collector-not-trusted: .*: its certificate has expired; issue a new one and restart the collector/,
  );
});

t.test('text from the network cannot control the terminal', async (t) => {
  const nasty = '\x1b]0;owned\x07\u009b31m\u202eevil\nline';
  const scene = await apiScene(t, { findings: [finding({ explanation: nasty, initiator: podEnd(`shop/${nasty}`) })] });
  for (const format of ['table', 'wide', 'compact', 'json', 'jsonl', 'yaml']) {
    const { out } = await run(scene, ['findings', '-o', format]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters must not be there
    t.notMatch(out, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/, format);
    if (format === 'jsonl') t.equal(JSON.parse(out).explanation, nasty, 'the parsed value is unchanged');
  }
  t.equal((await run(scene, ['findings', '-o', 'compact'])).out.split('\n').length, 2, 'each finding is one line');
});

t.test('--color always shows colours, and a pipe has none by default', async (t) => {
  const scene = await apiScene(t, { findings: [finding()] });
  t.notOk((await run(scene, ['findings'])).out.includes('\x1b'), 'no terminal');
  t.ok((await run(scene, ['findings', '--color', 'always'])).out.includes('\x1b[31mcritical\x1b[0m  bypass'));
});

t.test('status shows the reporting nodes, lag, losses and unwatched interfaces', async (t) => {
  const scene = await apiScene(t, {});
  const { code, out } = await run(scene, ['status']);
  t.equal(code, 0);
  t.match(out, /^nodes +1 of 2 reporting$/m);
  t.match(out, /^n1 +reporting +pcap .* 40 +3 +100 +1000 +0 +corrupt 10$/m);
  t.match(out, /^n1 .* set so +3, 1 not watched +40 /m);
  t.match(out, /^n2 +missing/m);
  t.match(out, /^followers +0 connected, 0 dropped$/m);
  t.match(JSON.parse((await run(scene, ['status', '-o', 'json'])).out), { nodes: { reporting: 1, of: 2 } });
});

t.test('a file with many lines is read completely', async (t) => {
  const scene = await apiScene(t, { findings: [finding()] });
  const { out } = await run(scene, ['findings', '-o', 'jsonl']);
  const file = `${scene.folder}/many.jsonl`;
  writeFileSync(file, out.repeat(3000));
  const again = await run(scene, ['findings', '--input-file', file, '-o', 'jsonl']);
  t.equal(again.out.split('\n').length, 3001);
});
