import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runVerdict, type VerdictFlags, verdictCommand } from '../../cli/verdict.ts';
import { maxLineLength } from '../../cli/verdict-batch.ts';
import { ProblemError } from '../../model/problem.ts';
import { folder } from '../cluster/manifests/folders.ts';
import { Kept } from '../scene/kept.ts';

const cases = fileURLToPath(new URL('../cases/', import.meta.url));
const shop = join(cases, 'shop', 'cluster.yaml');

type Ran = { code: number; stdout: string; stderr: string };

async function run(flags: Partial<VerdictFlags>, stdin: Iterable<string | Buffer> = []): Promise<Ran> {
  const [stdout, stderr] = [new Kept(), new Kept()];
  const streams = { stdin: Readable.from(stdin, { objectMode: false }), stdout, stderr };
  const code = await runVerdict({ cluster: shop, output: 'table', ...flags }, streams);
  return { code, stdout: stdout.text, stderr: stderr.text };
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

for (const name of readdirSync(cases)) {
  t.test(`case ${name}: each question gets the expected verdict`, async (t) => {
    const read = (file: string) => readFileSync(join(cases, name, file), 'utf8');
    const ran = await run({ cluster: join(cases, name, 'cluster.yaml'), batch: true }, [read('queries.jsonl')]);
    const [answers, expected] = [lines(ran.stdout), lines(read('expected.jsonl'))];
    t.equal(answers.length, expected.length, 'one answer for each question');
    for (const [index, line] of expected.entries()) {
      const [answer, wanted] = [JSON.parse(answers[index] ?? '{}'), JSON.parse(line)];
      t.equal(textOfId(answers[index] ?? ''), textOfId(line), 'the id is unchanged');
      t.hasStrict(answer, wanted, line);
      t.equal(answer.sides?.length, wanted.sides?.length, 'no other sides');
      t.equal(
        answer.verdict === 'unknown',
        typeof answer.reason === 'string',
        'an unknown verdict has a reason, others have none',
      );
      for (const side of answer.sides ?? []) t.ok(side.why, `${side.side} has a reason`);
    }
    t.equal(ran.code, expected.some((line) => 'error' in JSON.parse(line)) ? 1 : 0);
  });
}

function textOfId(line: string): string | undefined {
  return /^\{"id":(.*?),"(?:verdict|error)"/.exec(line)?.[1];
}

t.test('--cluster - reads the manifests from stdin, but not together with --batch', async (t) => {
  const waybill = fileURLToPath(new URL('../../cli/waybill.ts', import.meta.url));
  const asked = ['verdict', '--cluster', '-', '--from', 'shop/debug', '--to', 'shop/carts-db', '--port', 'mongo'];
  const { status, stdout } = spawnSync(process.execPath, [waybill, ...asked], { input: readFileSync(shop) });
  t.equal(status, 0);
  t.match(String(stdout), /^shop\/debug -> shop\/carts-db TCP mongo: denied/);
  await t.rejects(
    run({ cluster: '-', batch: true }),
    new ProblemError({
      code: 'bad-flag',
      place: '--cluster -',
      fault: '--batch reads its questions from stdin',
      fix: 'give the manifests as a file or a folder',
    }),
  );
});

t.test('one question: the table has the verdict and its explanation; exit code 0', async (t) => {
  const ran = await run({ from: 'shop/debug', to: 'shop/carts-db', port: 'mongo' });
  t.equal(ran.code, 0);
  t.same(lines(ran.stdout), [
    'shop/debug -> shop/carts-db TCP mongo: denied',
    '  egress   denied      isolated, and no rule matches: NetworkPolicy shop/default-deny has no egress rule, ' +
      'so it allows nothing; NetworkPolicy shop/dns spec.egress[0] requires the responder to be ' +
      'any pod in a namespace with kubernetes.io/metadata.name=kube-system',
    '                       needs a rule in NetworkPolicy shop/dns that allows egress to ' +
      'pods with app=carts-db in namespace shop on TCP 27017',
    '  ingress  denied      isolated, and no rule matches: NetworkPolicy shop/carts-db spec.ingress[0] requires ' +
      'the initiator to be a pod with app=carts in namespace shop; ' +
      'NetworkPolicy shop/default-deny has no ingress rule, so it allows nothing',
    '                       needs a rule in NetworkPolicy shop/carts-db that allows ingress from ' +
      'pods with purpose=debug in namespace shop on TCP 27017',
  ]);
});

t.test('one question: a protocol that the API does not define is marked', async (t) => {
  const ran = await run({ from: 'legacy/billing', to: '203.0.113.7', protocol: 'icmp' });
  t.match(ran.stdout, /^legacy\/billing -> 203\.0\.113\.7 ICMP: undeclared\n/);
  t.match(ran.stdout, /the NetworkPolicy API does not define ICMP/);
});

t.test('one question: json, jsonl and yaml have the same content', async (t) => {
  const question = { from: 'shop/web-5c9d', to: 'shop/carts-6d4f', port: '8080' };
  const json = JSON.parse((await run({ ...question, output: 'json' })).stdout);
  t.hasStrict(json, { from: 'shop/web-5c9d', to: 'shop/carts-6d4f', port: 8080, protocol: 'TCP', verdict: 'allowed' });
  const jsonl = (await run({ ...question, output: 'jsonl' })).stdout;
  t.equal(lines(jsonl).length, 1);
  t.same(JSON.parse(jsonl), json);
  t.match((await run({ ...question, output: 'yaml' })).stdout, /^from: shop\/web-5c9d\n(.*\n)*verdict: allowed\n/);
});

t.test('options change the verdict', async (t) => {
  const question = { from: 'monitoring/prometheus-0', to: 'shop/carts-6d4f', port: '9090', output: 'jsonl' } as const;
  t.equal(JSON.parse((await run(question)).stdout).verdict, 'allowed');
  const every = await run({ ...question, option: ['declaredBy=every'] });
  t.equal(JSON.parse(every.stdout).verdict, 'undeclared');
});

t.test('a wrong path, option or question is thrown as a problem', async (t) => {
  const question = { from: 'shop/debug', to: 'shop/carts-db', port: '1' };
  await t.rejects(run({ ...question, cluster: join(cases, 'nowhere') }), ProblemError);
  await t.rejects(run({ ...question, option: ['declaredBy=some'] }), { message: /^bad-option-value: / });
  await t.rejects(run({ ...question, to: 'shop/nobody' }), { message: /^unknown-party: / });
  await t.rejects(run({ from: 'shop/debug' }), { message: /^bad-query: the question: to is missing or not a string;/ });
  await t.rejects(run({ ...question, port: 'none' }), { message: /^unknown-port-name: / });
});

t.test('each problem of the manifests is one line on stderr, and the questions are answered', async (t) => {
  const ran = await run({ cluster: join(cases, 'broken-policies'), batch: true }, [
    '{"from":"shop/web","to":"shop/db","port":80}\n',
  ]);
  const problems = lines(ran.stderr);
  t.ok(problems.some((line) => /^end-port-below-port: NetworkPolicy shop\/end-port \(/.test(line)));
  t.ok(problems.some((line) => /^unknown-operator: NetworkPolicy other\/operator \(/.test(line)));
  t.equal(JSON.parse(ran.stdout).verdict, 'unknown');
});

t.test('an unreadable object makes the exit code 2, and the questions are answered', async (t) => {
  const pods = readFileSync(join(cases, 'shop', 'cluster.yaml'), 'utf8');
  const unread = {
    'a tab': { 'b.yaml': 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n\tname: deny\n' },
    'a chart': { 'Chart.yaml': 'name: c\n', 'templates/b.yaml': 'name: {{ .Release.Name }}\n' },
    'a kind misspelled': {
      'b.yaml': '{ apiVersion: networking.k8s.io/v1, kind: NetworkPolcy, metadata: { name: a } }',
    },
    'an object that is skipped': {
      'b.yaml': '{ apiVersion: v1, kind: Pod, metadata: { name: a }, spec: { hostNetwork: 1 } }',
    },
  };
  const question = { from: 'shop/debug', to: 'shop/carts-db', port: '27017' };
  const [asked, invalid] = [`${JSON.stringify({ ...question, port: 27017 })}\n`, '{}\n'];
  for (const [what, files] of Object.entries(unread)) {
    const cluster = folder(t, { 'a.yaml': pods, ...files }).path;
    const verdict = what === 'a tab' ? 'unknown' : 'denied';
    const one = await run({ cluster, ...question });
    t.match(
      one,
      { code: 2, stdout: new RegExp(`^shop/debug -> shop/carts-db TCP 27017: ${verdict}`), stderr: /^[a-z-]+: .*; / },
      what,
    );
    t.equal(lines(one.stderr).length, 1);
    const batch = await run({ cluster, batch: true }, [asked, invalid]);
    t.equal(batch.code, 2, `${what}, and an invalid line`);
    t.match(lines(batch.stdout), [new RegExp(`"verdict":"${verdict}"`), /"error":"bad-query/]);
  }
});

t.test('a broken policy is reported and makes verdicts unknown; exit code 0', async (t) => {
  const ran = await run({ cluster: join(cases, 'broken-policies'), from: 'shop/web', to: 'shop/db', port: '80' });
  t.match(ran, { code: 0, stdout: /: unknown \(/, stderr: /^end-port-below-port: /m });
});

t.test('a folder of manifests is read recursively', async (t) => {
  const ran = await run({ cluster: join(cases, 'shop'), batch: true }, [
    '{"from":"10.0.1.2","to":"10.0.2.3","port":1}',
  ]);
  t.equal(JSON.parse(ran.stdout).verdict, 'denied');
});

t.test('lines may arrive in pieces, even within a character, and the last line needs no line feed', async (t) => {
  const text = Buffer.from('{"id":"größe","from":"shop/debug","to":"203.0.113.7","port":1}\r\n{"id":2}');
  const pieces = Array.from(text, (byte) => Buffer.from([byte]));
  const ran = await run({ batch: true }, pieces);
  t.same(
    lines(ran.stdout).map((line) => JSON.parse(line).id),
    ['größe', 2],
  );
  t.equal(ran.code, 1);
});

t.test('an endless line is an error, and is not kept in memory', async (t) => {
  const long = 'x'.repeat(maxLineLength);
  const ran = await run({ batch: true }, [long, long, long, '\n{"from":"shop/debug","to":"203.0.113.7","port":1}\n']);
  const [first, second] = lines(ran.stdout).map((line) => JSON.parse(line));
  t.match(first.error, /^bad-query: line 1: the line has more than 65536 characters;/);
  t.equal(second.verdict, 'denied');
});

t.test('a batch stops reading questions while its answers are not read', async (t) => {
  let asked = 0;
  const question = `${'{"from":"shop/debug","to":"203.0.113.7","port":1}\n'.repeat(100)}`;
  function* questions(): Generator<string> {
    for (; asked < 10_000; asked++) yield question;
  }
  const waiting: (() => void)[] = [];
  const stdout = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => {
      waiting.push(done);
    },
  });
  const stdin = Readable.from(questions(), { objectMode: false });
  const done = runVerdict({ cluster: shop, output: 'table', batch: true }, { stdin, stdout, stderr: new Kept() });
  done.catch(() => {});
  while (waiting.length === 0) await setImmediate();
  for (let turn = 0; turn < 1000; turn++) await setImmediate();
  t.ok(asked < 100, `${asked} of 10,000 chunks were read`);
  stdout.destroy(Object.assign(new Error('nobody reads'), { code: 'EPIPE' }));
  t.equal(await done, 0, 'it ends without an error after the output is closed');
});

t.test('the command reads its flags, and sets the exit code', async (t) => {
  const file = join(mkdtempSync(join(tmpdir(), 'waybill-verdict-')), 'pod.yaml');
  writeFileSync(
    file,
    'apiVersion: v1\nkind: Pod\nmetadata: { name: a, namespace: x }\nspec: { containers: [{ name: c }] }\n',
  );
  const [stdout, stderr] = [new Kept(), new Kept()];
  const command = verdictCommand({ stdin: Readable.from([]), stdout, stderr });
  const flags = '--from x/a --to 203.0.113.7 --port 53 --protocol UDP --option declaredBy=every -o jsonl';
  await command.parseAsync(['--cluster', file, ...flags.split(' ')], { from: 'user' });
  t.equal(process.exitCode, 0);
  t.hasStrict(JSON.parse(stdout.text), { port: 53, protocol: 'UDP', verdict: 'undeclared' });
});

t.test('a policy that acts after the network is named below the sides', async (t) => {
  const cluster = join(cases, 'other-apis', 'cluster.yaml');
  const { stdout } = await run({ cluster, from: 'shop/web', to: 'mesh/api', port: '80' });
  t.same(lines(stdout), [
    'shop/web -> mesh/api TCP 80: undeclared',
    '  egress   undeclared  not isolated: no policy selects it',
    '  ingress  undeclared  not isolated: no policy selects it',
    '  after the network delivered it, this may still refuse it: AuthorizationPolicy mesh/api',
  ]);
});

t.test(
  'a policy of an API that is not known makes the verdicts of its namespace unknown, and its kind is named',
  async (t) => {
    const policyOf = (kind: string, namespace: string) =>
      `{ apiVersion: acme.example/v1, kind: ${kind}, metadata: { name: guard${namespace} }, spec: {} }`;
    const pods = ['shop', 'blog'].flatMap((namespace) => [
      `{ apiVersion: v1, kind: Namespace, metadata: { name: ${namespace} } }`,
      `{ apiVersion: v1, kind: Pod, metadata: { name: web, namespace: ${namespace} }, status: { podIP: 10.1.0.${namespace.length} } }`,
    ]);
    const ask = async (...policies: string[]) => {
      const cluster = folder(t, { 'all.yaml': [...pods, ...policies].join('\n---\n') }).path;
      const ran = (one: string) => run({ cluster, from: '192.0.2.1', to: `${one}/web`, port: '80' });
      const [shopRan, blogRan] = [await ran('shop'), await ran('blog')];
      return { shop: shopRan.stdout, blog: blogRan.stdout, stderr: shopRan.stderr };
    };
    const own = await ask(policyOf('AcmeNetworkPolicy', ', namespace: shop'));
    t.match(own.shop, 'AcmeNetworkPolicy shop/guard is not evaluated');
    t.match(own.blog, ': undeclared');
    t.equal(own.stderr, '');
    const ofCluster = await ask(policyOf('AcmeNetworkPolicy', ''));
    t.match(ofCluster.blog, 'AcmeNetworkPolicy guard is not evaluated');
    const passedOver = await ask(policyOf('MeshPolicy', ', namespace: shop'), policyOf('Gateway', ''));
    t.match(passedOver.shop, ': undeclared');
    t.equal(passedOver.stderr, 'ignored 1 object of kinds that may be policies (MeshPolicy.acme.example 1)\n');
  },
);
