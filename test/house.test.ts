// The import rules of docs/architecture.md: which folder may import which, no import of a later stage, no cycles. A failure
// names the file, the line and the rule.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';

const root = new URL('..', import.meta.url).pathname;
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], { cwd: root })
  .toString()
  .split('\n')
  .filter((file) => file !== '');
const texts = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));

type Import = { from: string; line: number; to: string };
const imports = files.flatMap((file) => importsOf(file, texts.get(file)!));

/** What the files of each top-level folder may import besides files of the same folder. */
const allowedImports: Record<string, readonly string[]> = {
  model: [],
  kernel: [],
  accounting: ['model'],
  certs: ['model'],
  cluster: ['model'],
  config: ['model'],
  policy: ['model'],
  proto: ['model'],
  lint: ['model', 'policy'],
  connectivity: ['model', 'policy'],
  agent: ['accounting', 'certs', 'cluster', 'config', 'kernel', 'model', 'policy', 'proto'],
  collector: ['accounting', 'certs', 'cluster', 'config', 'model', 'policy', 'proto'],
  cli: [
    'accounting',
    'agent',
    'certs',
    'cluster',
    'collector',
    'config',
    'connectivity',
    'lint',
    'model',
    'policy',
    'proto',
  ],
  setup: ['agent', 'collector', 'config'],
};

/** These may import any folder; no program imports them. */
const unrestricted = ['bench', 'lab', 'test'];

/** The stages of each program, in the order of the data. */
const stages: Record<string, readonly string[]> = {
  agent: ['interfaces', 'capture', 'records', 'pods', 'delivery'],
  collector: ['ingest', 'identity', 'join', 'verdict', 'findings', 'store', 'api'],
};

/** The folders of the lab, lowest first: a file imports only from its own folder or a lower one. */
const labFloors = ['system', 'topology', 'network', 'programs', 'cluster', 'traffic', 'attack'];

const vagueNames = /(^|\/)(utils?|helpers?|common|misc|manager|base|index)(\/|\.ts$)/;

t.test('a folder imports only the folders that it may import', async (t) => {
  const acrossFolders = imports.filter(({ from, to }) => topFolder(from) in allowedImports && !sameFolder(from, to));
  t.ok(acrossFolders.length > 100, `${acrossFolders.length} imports checked`);
  t.same(folderFaults(imports), []);
});

t.test('a stage never imports a later stage', async (t) => {
  for (const [program, order] of Object.entries(stages)) {
    for (const stage of order) {
      const own = imports.filter(({ from }) => from.startsWith(`${program}/${stage}/`));
      t.ok(own.length > 0, `${program}/${stage}: ${own.length} imports checked`);
    }
  }
  t.same(stageFaults(imports), []);
});

t.test('a file of the lab imports only from its own floor or a lower one', async (t) => {
  const isTop = (file: string) => file.split('/').length === 2;
  const floorOf = (file: string) => (isTop(file) ? labFloors.length : labFloors.indexOf(stageOf(file)));
  const labFiles = files.filter((file) => topFolder(file) === 'lab');
  for (const floor of labFloors) {
    t.ok(
      labFiles.some((file) => file.startsWith(`lab/${floor}/`)),
      `lab/${floor} has files`,
    );
  }
  for (const file of labFiles) t.ok(floorOf(file) >= 0, `${file} is in a floor: ${labFloors.join(', ')}`);
  for (const { from, line, to } of imports) {
    if (topFolder(from) !== 'lab' || topFolder(to) !== 'lab') continue;
    t.ok(floorOf(to) <= floorOf(from), `${from}:${line} imports ${to}, which is on a higher floor`);
  }
});

t.test('only cli imports a main.ts, and nothing but tests and benchmarks imports lab, bench or test', async (t) => {
  const programs = imports.filter(({ to }) => to.endsWith('/main.ts'));
  t.same(new Set(programs.map(({ to }) => to)), new Set(['agent/main.ts', 'collector/main.ts']), 'cli imports both');
  t.same(startFaults(imports), []);
});

t.test('imports have no cycles', async (t) => {
  const { cycles, visited } = walk(imports);
  t.ok(visited > files.length / 2, `${visited} of ${files.length} files visited`);
  t.same(cycles, []);
});

t.test('every file is in a folder that has a rule, and has a specific name', async (t) => {
  t.ok(files.length > 100, `${files.length} files checked`);
  const known = [...unrestricted, ...Object.keys(allowedImports)];
  for (const folder of known)
    t.ok(
      files.some((file) => topFolder(file) === folder),
      `${folder} has files`,
    );
  for (const file of files) {
    t.ok(known.includes(topFolder(file)), `${file}: a folder without a rule`);
    t.notMatch(file, vagueNames, file);
  }
  t.match('agent/utils/time.ts', vagueNames);
  t.match('agent/index.ts', vagueNames);
});

t.test(
  'every relative path in the source is found as an import, except programs that are started by their path',
  async (t) => {
    t.ok(imports.length > 1000, `${imports.length} imports found`);
    for (const { from, line, to } of imports) t.ok(texts.has(to), `${from}:${line}: ${to} is a file of the repository`);
    for (const [file, text] of texts) {
      const paths = [...text.matchAll(/(?<!\b(?:new URL|program)\(\s*)['"`]\.{1,2}\/[^'"`\n]+\.ts['"`]/g)];
      t.equal(importsOf(file, text).length, paths.length, `${file}: each of ${paths.length} paths is an import`);
    }
  },
);

t.test('the capture sources never import one another', async (t) => {
  const sourceOf = (file: string) => /^agent\/capture\/(ebpf|pcap)\//.exec(file)?.[1];
  t.ok(imports.filter(({ from }) => sourceOf(from) !== undefined).length > 20, 'imports of sources were read');
  for (const { from, line, to } of imports) {
    const [own, other] = [sourceOf(from), sourceOf(to)];
    if (own !== undefined && other !== undefined) t.equal(other, own, `${from}:${line} imports ${to}`);
  }
});

t.test('koffi is imported in kernel/ alone, and each library is loaded once', async (t) => {
  const loaded: string[] = [];
  for (const file of files) {
    const text = texts.get(file)!;
    if (file === 'test/house.test.ts') continue;
    if (/from 'koffi'|import\('koffi'\)/.test(text)) t.equal(topFolder(file), 'kernel', `${file} imports koffi`);
    loaded.push(...[...text.matchAll(/\bkoffi\.load\('([^']+)'\)/g)].map(([, library]) => library!));
  }
  t.same(loaded.toSorted(), ['libbpf.so.1', 'libc.so.6']);
});

/** Written with @ for quotes, so that these lines are no imports of this file. */
const forms = [
  'import { a } from @./a.ts@;',
  'import type { B } from @./b.ts@;',
  'export { c } from @./c.ts@;',
  'export * from @./d.ts@;',
  'import {',
  '  e,',
  '} from @./e.ts@;',
  'import @./f.ts@;',
  'const g = await import(@./g.ts@);',
  'const h = await import(',
  '  @./h.ts@',
  ');',
  'type I = import(@./i.ts@).I;',
];

t.test('an import is found in every form, with the line of its path', async (t) => {
  const found = importsOf('model/x.ts', forms.join('\n').replaceAll('@', "'"));
  t.same(
    found.map(({ line, to }) => `${line} ${to}`),
    ['1 a', '2 b', '3 c', '4 d', '7 e', '8 f', '9 g', '11 h', '13 i'].map((it) => `${it.replace(' ', ' model/')}.ts`),
  );
});

t.test('a forbidden import is reported with its file, line and rule', async (t) => {
  const one = (from: string, to: string): Import[] => [{ from, line: 7, to }];
  t.same(folderFaults(importsOf('policy/x.ts', '\nimport type { A } from @../agent/a.ts@;'.replaceAll('@', "'"))), [
    'policy/x.ts:2 imports agent/a.ts: policy may import only model',
  ]);
  t.same(folderFaults(one('model/x.ts', 'policy/a.ts')), [
    'model/x.ts:7 imports policy/a.ts: model may import only itself',
  ]);
  t.same(folderFaults(one('agent/x.ts', 'collector/a.ts')).length, 1);
  t.same(stageFaults(one('agent/capture/x.ts', 'agent/records/a.ts')), [
    'agent/capture/x.ts:7 imports agent/records/a.ts, which is a later stage or none',
  ]);
  t.same(stageFaults(one('agent/records/x.ts', 'agent/capture/a.ts')), []);
  t.same(startFaults(one('test/x.ts', 'agent/main.ts')).length, 1);
  t.same(startFaults(one('agent/x.ts', 'test/a.ts')).length, 1);
  t.same(startFaults(one('agent/x.ts', 'bench/a.ts')).length, 1);
  t.same(startFaults(one('agent/x.ts', 'lab/a.ts')).length, 1);
  const edge = (from: string, to: string): Import => ({ from, line: 1, to });
  t.same(walk([edge('a.ts', 'b.ts'), edge('b.ts', 'c.ts'), edge('c.ts', 'b.ts')]).cycles, ['b.ts -> c.ts -> b.ts']);
});

function folderFaults(all: readonly Import[]): string[] {
  return all.flatMap(({ from, line, to }) => {
    const folder = topFolder(from);
    const allowed = allowedImports[folder];
    if (allowed === undefined || sameFolder(from, to) || allowed.includes(topFolder(to))) return [];
    return `${from}:${line} imports ${to}: ${folder} may import only ${allowed.join(', ') || 'itself'}`;
  });
}

function stageFaults(all: readonly Import[]): string[] {
  return all.flatMap(({ from, line, to }) => {
    const order = stages[topFolder(from)];
    if (order === undefined || !sameFolder(from, to)) return [];
    const [own, other] = [order.indexOf(stageOf(from)), order.indexOf(stageOf(to))];
    if (own < 0 || (other >= 0 && other <= own)) return [];
    return `${from}:${line} imports ${to}, which is a later stage or none`;
  });
}

function startFaults(all: readonly Import[]): string[] {
  return all.flatMap(({ from, line, to }) => {
    const [importer, imported] = [topFolder(from), topFolder(to)];
    const fault = `${from}:${line} imports ${to}`;
    if (to.endsWith('/main.ts') && importer !== 'cli') return `${fault}: only cli starts the programs`;
    const allowed: Record<string, readonly string[]> = {
      test: ['test'],
      bench: ['test', 'bench'],
      lab: ['test', 'bench', 'lab'],
    };
    return allowed[imported]?.includes(importer) === false ? `${fault}: no program depends on ${imported}` : [];
  });
}

/** Follows the imports of every file. */
function walk(all: readonly Import[]): { cycles: string[]; visited: number } {
  const cycles: string[] = [];
  const importsByFile = Map.groupBy(all, ({ from }) => from);
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      return;
    }
    if (done.has(file)) return;
    for (const { to } of importsByFile.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of importsByFile.keys()) visit(file, []);
  return { cycles, visited: done.size };
}

function topFolder(file: string): string {
  return file.split('/')[0]!;
}

function sameFolder(one: string, other: string): boolean {
  return topFolder(one) === topFolder(other);
}

function stageOf(file: string): string {
  return file.split('/')[1]!;
}

/** Imports and exports from a relative path, wherever the statement breaks its lines. */
function importsOf(from: string, text: string): Import[] {
  return [...text.matchAll(/(?:\bfrom\s|\bimport\s|\bimport\()\s*['"](\.{1,2}\/[^'"\n]+)['"]/g)].map((match) => {
    const line = text.slice(0, match.index + match[0].length).split('\n').length;
    return { from, line, to: normalize(join(dirname(from), match[1]!)) };
  });
}
