import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import t from 'tap';
import { nodeOfCertificate } from '../../certs/node-name.ts';
import { program } from '../../cli/waybill.ts';
import { configOf, exampleNode, programs, secretFiles } from './checks.ts';
import { Deploy, root } from './manifests.ts';

const page = readFileSync(join(root, 'docs', 'install.md'), 'utf8');

t.test('the certificate commands make every file that the pods mount', async (t) => {
  const { folder, secrets } = runSection(t.testdir(), 'Certificates');
  for (const [name, wanted] of Object.entries(secretFiles)) {
    const files = secrets.findLast((secret) => secret.name === name)?.files ?? {};
    for (const file of wanted) t.ok(existsSync(join(folder, files[file] ?? 'missing')), `${name}: ${file}`);
    for (const file of Object.keys(files))
      t.notMatch(file, /^(ca\.key|client)/, `${name}: ${file} is not in the Secret`);
  }
  const agents = secrets.findLast(({ name }) => name === 'waybill-agent-tls')!.files;
  for (const node of ['node-2', exampleNode, 'node-3.example']) {
    t.equal(nodeOfCertificate(readFileSync(join(folder, agents[`agent-${node}.crt`]!))), node);
  }
});

t.test('the commands for renewal make new certificates and a new authority', async (t) => {
  const folder = t.testdir();
  runSection(folder, 'Certificates');
  const read = (name: string) => new X509Certificate(readFileSync(join(folder, '.waybill', 'certs', name)));
  const before = read('ca.crt');
  runSection(folder, 'Renewing certificates');
  t.not(read('ca.crt').fingerprint256, before.fingerprint256);
  t.equal(readFileSync(join(folder, '.waybill', 'certs', 'ca.crt'), 'utf8').split('BEGIN CERTIFICATE').length, 2);
  for (const name of ['collector.crt', `agent-${exampleNode}.crt`, 'client.crt']) {
    t.ok(read(name).verify(read('ca.crt').publicKey), name);
  }
});

t.test('the collector’s certificate names the host that agents connect to', async (t) => {
  const [agent] = programs(new Deploy());
  const host = String(configOf(new Deploy(), agent!).collector!.address).replace(/:\d+$/, '');
  const servers = / --server ([^\\\n]+)/.exec(page)?.[1]?.trim().split(' ');
  t.same(servers, [host, 'localhost']);
});

t.test('every waybill command on the page exists, with its flags', async (t) => {
  const commands = [...page.replace(/\\\n/g, ' ').matchAll(/npx waybill ([a-z]+)([^\n`|]*)/g)];
  t.ok(commands.length >= 5, `${commands.length} commands`);
  for (const [whole, verb, rest] of commands) {
    const command = (await program(verb)).commands.find((one) => one.name() === verb);
    for (const [flag] of rest!.matchAll(/--[a-z-]+/g)) {
      t.ok(
        command?.options.some((option) => option.long === flag),
        `${flag} of ${whole!.slice(0, 60)}`,
      );
    }
    t.ok(command?.description(), verb!);
  }
});

t.test('every file, object and setting that the page names exists', async (t) => {
  const deploy = new Deploy();
  for (const [, path] of page.matchAll(/`?(deploy\/[a-z-]+\.yaml)`?/g)) t.ok(existsSync(join(root, path!)), path!);
  const kinds: Record<string, string> = { statefulset: 'StatefulSet', daemonset: 'DaemonSet', service: 'Service' };
  for (const [, kind, name] of page.matchAll(/\b(statefulset|daemonset|service)\/([a-z-]+)/g)) {
    t.ok(deploy.has(kinds[kind!]!, name!), `${kind}/${name}`);
  }
  const settings = programs(deploy).flatMap(({ schema }) =>
    Object.entries(schema).flatMap(([section, of]) => Object.keys(of).map((name) => `${section}.${name}`)),
  );
  for (const [, key] of page.matchAll(/`((?:cluster|capture|join|findings|store|policy)\.[a-zA-Z]+)`/g)) {
    t.ok(settings.includes(key!), key!);
  }
});

t.test('the table of capabilities lists those of the agent', async (t) => {
  const added = new Deploy().agent.spec.template.spec.containers[0]!.securityContext.capabilities!.add!;
  t.same([...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name).sort(), added.toSorted());
});

type Secret = { name: string; files: Record<string, string> };

/** Runs the commands of a section. Its kubectl knows two nodes and logs its arguments. */
function runSection(folder: string, title: string): { folder: string; secrets: Secret[] } {
  const section = page.split(/^## /m).find((one) => one.startsWith(`${title}\n`)) ?? '';
  const script = [...section.matchAll(/^ *```sh\n([\s\S]*?)^ *```/gm)].map(([, commands]) => commands).join('\n');
  const [bin, log] = [join(folder, 'bin'), join(folder, 'kubectl.log')];
  mkdirSync(bin, { recursive: true });
  const stub = (name: string, lines: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${lines}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  stub('npx', `shift; exec "${process.execPath}" "${join(root, 'cli', 'waybill.ts')}" "$@"`);
  stub(
    'kubectl',
    `echo "$*" >>"${log}"
case "$*" in
  'get nodes'*) echo 'node-2 ${exampleNode}' ;;
  *' -f -') cat >/dev/null ;;
esac`,
  );
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const ran = spawnSync('sh', ['-euc', script], { cwd: folder, env, encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`the commands of "${title}" fail: ${ran.stderr}`);
  const secrets = readFileSync(log, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const name = /create secret generic (\S+)/.exec(line)?.[1];
      return name === undefined ? [] : [{ name, files: Object.fromEntries(filesOf(folder, line)) }];
    });
  return { folder, secrets };
}

/** Reads --from-file like kubectl: NAME=PATH, or each file of a folder. */
function filesOf(folder: string, line: string): [string, string][] {
  return [...line.matchAll(/--from-file=(\S+)/g)].flatMap(([, from]): [string, string][] => {
    const [name, path] = from!.split('=') as [string, string | undefined];
    if (path !== undefined) return [[name, path]];
    return readdirSync(join(folder, name)).map((file) => [basename(file), join(name, file)]);
  });
}
