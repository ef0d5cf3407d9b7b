import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import { Deploy, root } from './manifests.ts';

type Instruction = { word: string; rest: string };
type Stage = { from: string; name: string; instructions: Instruction[] };
type Manifest = {
  version: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
};

const programs = ['agent', 'collector'] as const;
const images = ['debian:12-slim', 'node:24-bookworm-slim'];
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const noPackageList =
  spawnSync('apt-cache', ['show', 'libc6']).status === 0 ? false : 'this machine has no Debian package list';

for (const program of programs) {
  const stages = stagesOf(readFileSync(join(root, `Dockerfile.${program}`), 'utf8'));
  const last = stages.at(-1)!;
  const [builder] = stages;
  const copied = last.instructions.filter(({ word }) => word === 'COPY').flatMap(({ rest }) => copiesOf(rest));
  const inImage = (path: string) =>
    copied.some(({ from, source, to }) =>
      from === ''
        ? source === to && !ignored(path) && (path === to || path.startsWith(`${to}/`))
        : source === `/app/${path}` && path === to,
    );

  t.test(`Dockerfile.${program}: it builds in stages of its own, on pinned base images`, async (t) => {
    t.ok(stages.length >= 2);
    for (const { from } of stages) t.ok(images.includes(from), from);
  });

  t.test(`Dockerfile.${program}: every file that it copies is in the repository and not ignored`, async (t) => {
    const sources = stages.flatMap(({ instructions }) =>
      instructions.filter(({ word }) => word === 'COPY').flatMap(({ rest }) => copiesOf(rest)),
    );
    for (const { from, source } of sources) {
      if (from !== '') {
        t.ok(
          stages.some(({ name }) => name === from),
          `stage ${from}`,
        );
        continue;
      }
      t.ok(existsSync(join(root, source)), source);
      t.notOk(ignored(source), `.dockerignore allows ${source}`);
    }
  });

  t.test(
    `Dockerfile.${program}: the image has every file that the program imports, and not the other program`,
    async (t) => {
      const { files } = importsOf(program);
      t.ok(files.size > 50, 'imports are followed');
      for (const file of files) t.ok(inImage(file), file);
      const other = program === 'agent' ? 'collector/main.ts' : 'agent/main.ts';
      for (const excluded of [other, 'test', 'lab/lab.ts', 'certs/ca.key']) {
        t.notOk(inImage(excluded), `${excluded} is not in the image`);
      }
    },
  );

  t.test(`Dockerfile.${program}: every npm package that it imports is installed without devDependencies`, async (t) => {
    const { packages } = importsOf(program);
    const removed = [...text(builder!).matchAll(/node_modules\/(\S+)/g)].map(([, name]) => name!);
    for (const name of packages) {
      t.ok(name in manifest.dependencies, `${name} is a dependency`);
      t.notOk(
        removed.some((one) => one === name || one === name.split('/')[0]),
        `${name} is not removed`,
      );
    }
    t.match(text(builder!), /npm ci --omit=dev --ignore-scripts/);
    t.equal(
      text(builder!).includes('npm rebuild pcap'),
      packages.has('pcap'),
      'pcap is built only for the program that uses it',
    );
  });

  t.test(`Dockerfile.${program}: its entry point is in the image and runs on the pinned Node`, async (t) => {
    const entry = JSON.parse(last.instructions.find(({ word }) => word === 'ENTRYPOINT')!.rest) as string[];
    t.same(entry, ['node', '/app/cli/waybill.ts', program]);
    t.ok(inImage('cli/waybill.ts'));
    const path = /PATH=(\S+)/.exec(text(last))?.[1]?.split(':')[0];
    t.equal(path, '/app/node_modules/.bin', 'the pinned Node comes first');
    t.ok(
      Object.keys(manifest.optionalDependencies).some((name) => name.startsWith('node-linux-')),
      'package.json pins Node',
    );
  });

  t.test(
    `Dockerfile.${program}: user and ports are those of deploy/, version and licence those of package.json`,
    async (t) => {
      const workload = new Deploy()[program].spec.template.spec;
      const user = workload.containers[0]!.securityContext.runAsUser ?? workload.securityContext.runAsUser;
      t.equal(last.instructions.find(({ word }) => word === 'USER')?.rest, `${user}:${user}`);
      const exposed = last.instructions
        .find(({ word }) => word === 'EXPOSE')
        ?.rest.split(' ')
        .map(Number);
      t.same(
        exposed,
        workload.containers[0]!.ports.map(({ containerPort }) => containerPort),
      );
      const label = (name: string) =>
        new RegExp(`org\\.opencontainers\\.image\\.${name}="([^"]+)"`).exec(text(last))?.[1];
      t.equal(label('version'), manifest.version);
      t.equal(label('licenses'), 'Apache-2.0');
      t.equal(label('title'), `waybill-${program}`);
      t.ok(label('description'));
    },
  );

  t.test(
    `Dockerfile.${program}: only the agent’s image installs Debian packages, and only those that it uses`,
    async (t) => {
      t.same(aptPackages(text(last)), program === 'agent' ? ['conntrack', 'iproute2', 'libbpf1', 'libpcap0.8'] : []);
    },
  );

  for (const stage of stages.filter(({ name }) => name === 'program')) {
    t.test(
      `Dockerfile.${program}: the copied files and installed packages are enough to compile the program for the kernel`,
      async (t) => {
        const folder = t.testdir();
        const headers = join(folder, 'headers');
        for (const { word, rest } of stage.instructions) {
          if (word === 'COPY')
            for (const { source, to } of copiesOf(rest)) cpSync(join(root, source), join(folder, to));
          if (word !== 'RUN' || rest.startsWith('apt-get')) continue;
          const env = { ...process.env, CC_PRINT_HEADERS: '1', CC_PRINT_HEADERS_FILE: headers };
          const ran = spawnSync('sh', ['-euc', rest], { cwd: folder, env, encoding: 'utf8' });
          t.same({ status: ran.status, stderr: ran.stderr }, { status: 0, stderr: '' });
        }
        const made = copied.filter(({ from }) => from === stage.name).map(({ to }) => to);
        t.ok(made.length > 0);
        for (const file of made) t.ok(existsSync(join(folder, file)), file);
        const of = packagesOf(readFileSync(headers, 'utf8').match(/\/usr\/include\/\S+/g)!);
        for (const name of of) t.ok(aptPackages(text(stage)).includes(name), `${name} is installed`);
      },
    );
  }

  t.test(`Dockerfile.${program}: Debian has every package that it installs`, { skip: noPackageList }, async (t) => {
    for (const name of stages.flatMap((stage) => aptPackages(text(stage)))) {
      t.equal(spawnSync('apt-cache', ['show', name]).status, 0, name);
    }
  });
}

t.test('no certificate or key is copied into an image', async (t) => {
  for (const file of ['certs/ca.key', 'certs/client.crt', 'test/house.test.ts', '.waybill/certs/ca.key', '.git/HEAD']) {
    t.ok(ignored(file), file);
  }
  t.notOk(ignored('certs/read.ts'));
});

/** Like Docker, ignores comments between the lines of an instruction. */
function stagesOf(dockerfile: string): Stage[] {
  const lines = dockerfile
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n');
  const stages: Stage[] = [];
  for (const line of lines.filter((one) => one.trim() !== '')) {
    const [, word, rest] = /^([A-Z]+) (.*)$/.exec(line)!;
    const [from, , name = ''] = rest!.split(' ');
    if (word === 'FROM') stages.push({ from: from!, name, instructions: [] });
    else stages.at(-1)!.instructions.push({ word: word!, rest: rest!.replace(/\s+/g, ' ') });
  }
  return stages;
}

/** `to` is relative to WORKDIR. A source that is copied into a folder (`cli/`) keeps its name. */
function copiesOf(rest: string): { from: string; source: string; to: string }[] {
  const words = rest.split(' ');
  const from = words[0]!.startsWith('--from=') ? words.shift()!.slice('--from='.length) : '';
  const to = words.pop()!;
  return words.map((source) => ({
    from,
    source,
    to: to.endsWith('/') ? normalize(join(to, source.split('/').at(-1)!)) : to,
  }));
}

function text({ instructions }: Stage): string {
  return instructions.map(({ word, rest }) => `${word} ${rest}`).join('\n');
}

function aptPackages(stage: string): string[] {
  return [...stage.matchAll(/apt-get install -y --no-install-recommends ([^&]+)&&/g)].flatMap(([, names]) =>
    names!.trim().split(' '),
  );
}

/** The Debian packages of the files, if dpkg on this machine knows them. */
function packagesOf(files: readonly string[]): Set<string> {
  const { stdout } = spawnSync('dpkg-query', ['-S', ...files], { encoding: 'utf8' });
  return new Set([...(stdout ?? '').matchAll(/^([^:]+):/gm)].map(([, name]) => name!));
}

/** Whether .dockerignore excludes the path. Supports only its forms: `*`, then allowed paths, then excluded endings. */
function ignored(path: string): boolean {
  const lines = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
  return lines.reduce((isIgnored, line) => {
    if (line === '*') return true;
    if (line.startsWith('!')) return path === line.slice(1) || path.startsWith(`${line.slice(1)}/`) ? false : isIgnored;
    return line.startsWith('**/*.') ? isIgnored || path.endsWith(line.slice('**/*'.length)) : isIgnored;
  }, false);
}

/** Of the command line, only the verb of this program. A `new URL(…, import.meta.url)` counts as an import. */
function importsOf(program: string): { files: Set<string>; packages: Set<string> } {
  const imported =
    /^(?:import|export)\s(type\s)?[^;]*?from\s+'([^']+)'|^import\s+'([^']+)'|\b(?:import|require)\('([^']+)'\)/gm;
  const files = new Set<string>();
  const packages = new Set<string>();
  const waiting = ['cli/waybill.ts', 'cli/programs.ts', `${program}/main.ts`];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    if (!file.endsWith('.ts') || !statSync(join(root, file)).isFile()) continue;
    const source = readFileSync(join(root, file), 'utf8');
    for (const [, url] of source.matchAll(/new URL\('([^']+)', import\.meta\.url\)/g)) {
      waiting.push(normalize(join(dirname(file), url!)));
    }
    for (const [, type, from, effect, later] of source.matchAll(imported)) {
      const name = from ?? effect ?? later!;
      if (type !== undefined || name.startsWith('node:')) continue;
      if (!name.startsWith('.'))
        packages.add(
          name
            .split('/')
            .slice(0, name.startsWith('@') ? 2 : 1)
            .join('/'),
        );
      else if (later === undefined || !file.startsWith('cli/')) waiting.push(normalize(join(dirname(file), name)));
    }
  }
  return { files, packages };
}
