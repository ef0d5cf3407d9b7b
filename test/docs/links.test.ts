// Checks that links between pages, and files that pages and code name, exist.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';

const root = new URL('../..', import.meta.url).pathname;
const pages = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: root })
  .toString()
  .trim()
  .split('\n');

t.test('every link between pages leads to an existing file', async (t) => {
  for (const page of pages) {
    for (const [, to] of readFileSync(join(root, page), 'utf8').matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)) {
      t.ok(existsSync(join(root, dirname(page), to!)), `${page} -> ${to}`);
    }
  }
});

t.test('docs/architecture.md names existing files, and has one page', async (t) => {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const files = [...text.matchAll(/`([a-z-]+\/[a-z0-9./-]+\.ts)`/g)].map((found) => found[1]!);
  t.ok(files.length > 20, `${files.length} files`);
  for (const file of files) t.ok(existsSync(join(root, file)), file);
  t.ok(text.split('\n').length <= 60, 'at most 60 lines');
});

t.test('every page that the code names exists', async (t) => {
  const found = execFileSync(
    'git',
    ['grep', '-noE', 'docs/[a-z0-9/-]+\\.md', '--', '*.ts', '*.proto', 'Makefile', '*.yaml', ':!test/language'],
    {
      cwd: root,
    },
  );
  for (const line of found.toString().trim().split('\n')) {
    const page = line.split(':').at(-1)!;
    t.ok(existsSync(join(root, page)), line);
  }
});

t.test('decisions are numbered without a gap, and dated', async (t) => {
  const names = readdirSync(join(root, 'docs/decisions')).sort();
  for (const [at, name] of names.entries()) {
    t.equal(Number(name.slice(0, 4)), at + 1, name);
    const text = readFileSync(join(root, 'docs/decisions', name), 'utf8');
    t.match(text, new RegExp(`^# ${at + 1}\\. .+\\n\\n20\\d\\d-\\d\\d-\\d\\d\\n`), name);
  }
});

t.test('the new names and files of decision 20 are in the tree', async (t) => {
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root })
    .toString()
    .split('\n');
  const code = files.filter((file) => /\.(ts|c)$/.test(file)).map((file) => readFileSync(join(root, file), 'utf8'));
  const words = new Set(code.flatMap((text) => text.match(/\w+/g) ?? []));
  const rows = readFileSync(join(root, 'docs/decisions/0020-plain-names.md'), 'utf8')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  const names = rows.flatMap(([, , , name]) => (name?.startsWith('`') ? (name.match(/\w+/g) ?? []) : []));
  const paths = rows.flatMap(([, , path]) => (/^[\w/.-]+\.(ts|c)$/.test(path ?? '') ? [path!] : []));
  t.ok(names.length > 100 && paths.length > 40, `${names.length} names, ${paths.length} files`);
  for (const name of names) t.ok(words.has(name), name);
  for (const path of paths) t.ok(files.includes(path), path);
});
