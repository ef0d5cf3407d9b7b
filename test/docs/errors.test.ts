// Compares docs/errors.md with the source: the page lists every code that an errors.ts exports, and no other.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';

const root = new URL('../..', import.meta.url).pathname;
const rows = [...readFileSync(`${root}/docs/errors.md`, 'utf8').matchAll(/^\| `([a-z-]+)` \| (.*) \| (.*) \|$/gm)];
const documented = rows.map(([, code]) => code!);
const errorFiles = listFiles('**/errors.ts', '**/*-errors.ts');
const otherFiles = listFiles('*.ts').filter((file) => !errorFiles.includes(file));

/** Tracked and new files that match, without tests. `:(glob)**` matches at any depth, the root included. */
function listFiles(...patterns: string[]): string[] {
  const pathspecs = patterns.map((pattern) => (pattern.includes('**') ? `:(glob)${pattern}` : pattern));
  return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...pathspecs], {
    cwd: root,
  })
    .toString()
    .split('\n')
    .filter((file) => file !== '' && !file.startsWith('test/'));
}

function read(file: string): string {
  return readFileSync(`${root}/${file}`, 'utf8');
}

/** The codes in the exports of a file whose name ends in ProblemCodes. */
async function listedCodes(file: string): Promise<string[]> {
  const exported = (await import(`${root}/${file}`)) as Record<string, unknown>;
  const lists = Object.entries(exported).filter(([name]) => name.endsWith('ProblemCodes'));
  return lists.flatMap(([, codes]) => codes as string[]);
}

/** The codes of the Problems that a file makes: `code: '…'`, or the first argument of `problem(…)` or `maker(…)`. */
function madeCodes(text: string): string[] {
  return [...text.matchAll(/(?:\bcode: |\b(?:problem|maker)\(\s*)'([a-z]+(?:-[a-z]+)+)'/g)].map(([, code]) => code!);
}

t.test('the errors files are found, and their codes and the rows of the page are read', async (t) => {
  t.ok(errorFiles.length > 10, `${errorFiles.length} files named errors.ts or …-errors.ts`);
  t.ok(errorFiles.flatMap((file) => madeCodes(read(file))).length > 50, 'codes of the problems that they make');
  t.ok(rows.length > 50, `${rows.length} rows in docs/errors.md`);
});

t.test('every errors file lists all codes of its problems', async (t) => {
  for (const file of errorFiles) {
    const codes = await listedCodes(file);
    t.ok(codes.length > 0, `${file} exports a list that ends in ProblemCodes`);
    for (const code of madeCodes(read(file))) t.ok(codes.includes(code), `${file}: ${code} is in its list`);
  }
});

t.test('only errors files have lists of codes and create problems', async (t) => {
  t.ok(otherFiles.length > 100, `${otherFiles.length} other files`);
  for (const file of otherFiles) {
    const text = read(file);
    t.notMatch(text, /export const \w*ProblemCodes\b/, file);
    t.same(madeCodes(text), [], `${file} makes a Problem: move it to the errors.ts beside it`);
  }
});

t.test('docs/errors.md has exactly the listed codes', async (t) => {
  const listed = new Set<string>();
  for (const file of errorFiles) for (const code of await listedCodes(file)) listed.add(code);
  t.same([...listed].filter((code) => !documented.includes(code)).sort(), [], 'missing in the page');
  t.same(
    documented.filter((code) => !listed.has(code)),
    [],
    'only in the page',
  );
});

t.test('every listed code is used', async (t) => {
  const source = [...errorFiles, ...otherFiles].map(read).join('\n');
  for (const code of documented) {
    const uses = source.match(new RegExp(`(?<![a-z-])${code}(?![a-z-])`, 'g')) ?? [];
    t.ok(uses.length > 1, `${code} is in a list and in a Problem`);
  }
});

t.test('docs/errors.md has each code once, in alphabetical order, with a meaning and what to do', async (t) => {
  t.same(documented, [...new Set(documented)].sort());
  for (const [, code, meaning, advice] of rows) t.ok(meaning!.length > 10 && advice!.length > 3, `${code}`);
});
