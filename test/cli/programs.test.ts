import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { makeCertificates } from '../../certs/make.ts';
import { freePort } from '../scene/free-port.ts';
import { type Ended, Program, type RunOptions, runWaybill } from '../scene/programs.ts';

type Kind = 'agent' | 'collector';

const folder = t.testdir();
await makeCertificates({ folder, nodes: ['n1'], servers: ['localhost'], days: 1, overwrite: false });
mkdirSync(`${folder}/manifests`);
const taken = await listening();

/** A port in use. */
async function listening(): Promise<string> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

/** Runs a program with valid settings, except for `changed`. */
async function run(kind: Kind, changed: Record<string, string>, place?: RunOptions): Promise<Ended> {
  const name = kind === 'collector' ? 'collector' : 'agent-n1';
  const listen = async () => `127.0.0.1:${await freePort()}`;
  const own: Record<string, string> =
    kind === 'collector'
      ? {
          'ingest-listen': await listen(),
          'api-listen': await listen(),
          'store-path': `${folder}/store-${process.hrtime.bigint()}/waybill.duckdb`,
        }
      : { 'node-name': 'n1', 'collector-address': await listen() };
  const settings = {
    'tls-ca': `${folder}/ca.crt`,
    'tls-cert': `${folder}/${name}.crt`,
    'tls-key': `${folder}/${name}.key`,
    'cluster-manifests': `${folder}/manifests`,
    'health-listen': await listen(),
    ...own,
    ...changed,
  };
  return runWaybill([kind, ...Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value])], place);
}

/** The program ended with exactly one line for each fault; `expected` is in alphabetical order. */
function checkProblems(t: Test, { code, err }: Ended, expected: readonly RegExp[]): void {
  t.equal(code, 2);
  const lines = err.split('\n').slice(0, -1).sort();
  t.match(lines, expected);
  t.equal(lines.length, expected.length, err);
  for (const line of lines) t.match(line, /^[a-z]+(-[a-z]+)+: [^;]+: .+; .+$/);
}

t.jobs = 2;
t.test('a port in use is reported with its setting', { buffered: true }, async (t) => {
  for (const setting of ['ingest', 'api', 'health']) {
    checkProblems(t, await run('collector', { [`${setting}-listen`]: taken }), [
      new RegExp(`^cannot-listen: ${setting}\\.listen ${taken}: another program uses the port; stop that program`),
    ]);
  }
  checkProblems(t, await run('agent', { 'health-listen': taken }), [
    new RegExp(`^cannot-listen: health\\.listen ${taken}: another program uses the port; stop that program`),
  ]);
});

t.test('an address that this machine does not have is reported with its setting', { buffered: true }, async (t) => {
  checkProblems(t, await run('collector', { 'ingest-listen': '192.0.2.77:7443' }), [
    /^cannot-listen: ingest\.listen 192\.0\.2\.77:7443: this machine does not have the address; set an address of this/,
  ]);
});

for (const kind of ['agent', 'collector'] as const) {
  t.test(`${kind}: all missing certificate files are reported`, { buffered: true }, async (t) => {
    const none = { 'tls-ca': '/nowhere/ca.crt', 'tls-cert': '/nowhere/tls.crt', 'tls-key': '/nowhere/tls.key' };
    checkProblems(t, await run(kind, none), [
      /^certificate-unreadable: tls\.ca \/nowhere\/ca\.crt: cannot be read \(ENOENT\); /,
      /^certificate-unreadable: tls\.cert \/nowhere\/tls\.crt: /,
      /^certificate-unreadable: tls\.key \/nowhere\/tls\.key: /,
    ]);
  });

  t.test(`${kind}: a key of another certificate is reported with both files`, { buffered: true }, async (t) => {
    checkProblems(t, await run(kind, { 'tls-key': `${folder}/client.key` }), [
      /^certificate-unusable: tls\.key .*\/client\.key: it does not belong to the certificate in .*\.crt; give /,
    ]);
  });

  t.test(`${kind}: an expired certificate is reported with the time`, { buffered: true }, async (t) => {
    const ended = `${folder}/ended`;
    await makeCertificates({
      folder: `${ended}-${kind}`,
      nodes: ['n1'],
      servers: ['localhost'],
      days: -2,
      overwrite: false,
    });
    const name = kind === 'collector' ? 'collector' : 'agent-n1';
    const files = { 'tls-cert': `${ended}-${kind}/${name}.crt`, 'tls-key': `${ended}-${kind}/${name}.key` };
    checkProblems(t, await run(kind, files), [
      /^certificate-expired: tls\.cert .*\.crt: it expired at 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ; issue a new one from the same/,
    ]);
  });

  t.test(`${kind}: missing manifests are reported`, { buffered: true }, async (t) => {
    checkProblems(t, await run(kind, { 'cluster-manifests': '/nowhere/manifests' }), [
      /^cannot-read: cluster\.manifests \/nowhere\/manifests: no such file or folder; give the path/,
    ]);
  });

  t.test(`${kind}: every wrong setting is reported with its line, variable or flag`, { buffered: true }, async (t) => {
    const file = `${folder}/${kind}.yaml`;
    writeFileSync(file, 'tls:\n  cert: 7\nhealth:\n  listne: 0.0.0.0:1\nlog: {level: loud}\n');
    const env = { WAYBILL_CONFIG: file, WAYBILL_HEALTH_LISTEN: '7446' };
    checkProblems(t, await runWaybill([kind, '--cluster-manifests', ''], { env }), [
      /^bad-setting: .*\.yaml:2, tls\.cert: 7 is not a path; write the path of a file or folder$/,
      /^bad-setting: .*\.yaml:5, log\.level: "loud" is not a valid value; set debug, info, warn or error$/,
      /^bad-setting: WAYBILL_HEALTH_LISTEN: "7446" is not a host:port; write it as 0\.0\.0\.0:7443, /,
      /^unknown-setting: .*\.yaml:4, health\.listne: unknown setting "health\.listne"; write health\.listen, or another setting of docs\/config\.md$/,
    ]);
  });
}

t.test('agent: the certificate of another node is reported with both nodes', { buffered: true }, async (t) => {
  checkProblems(t, await run('agent', { 'node-name': 'n2' }), [
    /^certificate-of-another-node: tls\.cert .*agent-n1\.crt: it names node n1, and node\.name is n2; use the certificate of n2 /,
  ]);
  checkProblems(t, await run('agent', { 'tls-cert': `${folder}/client.crt`, 'tls-key': `${folder}/client.key` }), [
    /^certificate-of-another-node: tls\.cert .*client\.crt: it names no node, and node\.name is n1; use the certificate of n1 /,
  ]);
});

t.test('a store that cannot be written, or is not a store, is reported', { buffered: true }, async (t) => {
  checkProblems(t, await run('collector', { 'store-path': `${folder}/ca.crt/waybill.duckdb` }), [
    /^store-unusable: store\.path .*\/ca\.crt\/waybill\.duckdb: .*; set a writable path, or move /,
  ]);
  checkProblems(t, await run('collector', { 'store-path': `${folder}/ca.crt` }), [
    /^store-unusable: store\.path .*\/ca\.crt: .*not a valid DuckDB database file.*; set a writable path/,
  ]);
});

t.test('policy.judgeBy declared without policy.declared is reported', { buffered: true }, async (t) => {
  checkProblems(t, await run('collector', { 'policy-judge-by': 'declared' }), [
    /^bad-setting: policy\.judgeBy: .*; set policy\.declared /,
  ]);
});

t.test('an unreadable password file of the time series is reported at the start', { buffered: true }, async (t) => {
  const missing = { 'series-url': 'http://127.0.0.1:8086', 'series-password-file': '/nowhere/password' };
  checkProblems(t, await run('collector', missing), [
    /^series-password-unreadable: series\.passwordFile \/nowhere\/password: cannot be read \(ENOENT\); set the path/,
  ]);
});

t.test('a missing kubeconfig is reported', { buffered: true }, async (t) => {
  for (const kind of ['agent', 'collector'] as const) {
    checkProblems(t, await run(kind, { 'cluster-manifests': '', 'cluster-kubeconfig': '/nowhere/config' }), [
      /^no-kubeconfig: cluster\.kubeconfig \/nowhere\/config: .*; /,
    ]);
  }
});

t.test('an unknown flag, argument or verb is reported', { buffered: true }, async (t) => {
  const flag = await runWaybill(['agent', '--colour', 'red']);
  t.match(flag, { code: 2, out: '', err: /^bad-usage: unknown option '--colour'.*; see --help\n$/ });
  const word = await runWaybill(['collector', 'now']);
  t.match(word, { code: 2, out: '', err: /^bad-usage: [^\n]*; see --help\n$/ });
  const verb = await runWaybill(['help', 'bogus']);
  t.match(verb, { code: 2, out: '', err: /\nbad-usage: unknown command 'bogus'; see --help\n$/ });
});

t.test('a certificate that expires within 30 days is a warning in the log', { buffered: true }, async (t) => {
  const listen = async () => `127.0.0.1:${await freePort()}`;
  const settings = {
    'tls-ca': `${folder}/ca.crt`,
    'tls-cert': `${folder}/collector.crt`,
    'tls-key': `${folder}/collector.key`,
    'cluster-manifests': `${folder}/manifests`,
    'health-listen': await listen(),
    'ingest-listen': await listen(),
    'api-listen': await listen(),
    'store-path': `${folder}/store-soon/waybill.duckdb`,
  };
  const flags = Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value]);
  const collector = await Program.start(t, 'collector', flags, {});
  const [warning, ...more] = collector.lines('certificate-ends-soon');
  t.match(warning, {
    level: 40,
    msg: /^certificate-ends-soon: tls\.cert .*collector\.crt: it expires at .*Z; issue a new one/,
  });
  t.same(more, [], 'the authority does not expire soon');
});
