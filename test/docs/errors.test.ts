// docs/errors.md against the tree: every code that an errors.ts can make stands in the page, and no other.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';

const root = new URL('../..', import.meta.url).pathname;
const rows = [...readFileSync(`${root}/docs/errors.md`, 'utf8').matchAll(/^\| `([a-z-]+)` \| (.*) \| (.*) \|$/gm)];
const page = rows.map(([, code]) => code!);
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], { cwd: root })
  .toString()
  .trim()
  .split('\n')
  .filter((file) => !file.startsWith('test/'));
const rooms = files.filter((file) => file.endsWith('errors.ts'));

/** The codes that a room's list says it has, the export that ends in ProblemCodes. */
async function listed(file: string): Promise<string[]> {
  const exported = (await import(`${root}/${file}`)) as Record<string, unknown>;
  const lists = Object.entries(exported).filter(([name]) => name.endsWith('ProblemCodes'));
  return lists.flatMap(([, codes]) => codes as string[]);
}

/** The codes that stand where a Problem is made: `code: '…'`, or the first argument of what makes one. */
function made(file: string): string[] {
  const text = readFileSync(`${root}/${file}`, 'utf8');
  return [...text.matchAll(/(?:\bcode: |\b(?:problem|maker)\(\s*)'([a-z]+(?:-[a-z]+)+)'/g)].map(([, code]) => code!);
}

t.test('every errors.ts lists its codes, and makes no other', async (t) => {
  t.ok(rooms.length > 10, 'they were found');
  for (const file of rooms) {
    const codes = await listed(file);
    t.ok(codes.length > 0, `${file} exports a list that ends in ProblemCodes`);
    for (const code of made(file)) t.ok(codes.includes(code), `${file}: ${code} is in its list`);
  }
});

t.test('every code stands in docs/errors.md, and the page has none that nobody makes', async (t) => {
  const all = new Set<string>();
  for (const file of rooms) for (const code of await listed(file)) all.add(code);
  for (const file of files) for (const code of made(file)) all.add(code);
  const sorted = [...all].sort();
  t.same(
    sorted.filter((code) => !page.includes(code)),
    [],
    'missing in the page',
  );
  t.same(
    page.filter((code) => !all.has(code)),
    [],
    'in the page and nowhere else',
  );
});

t.test('no list has a code that is never used', async (t) => {
  const whole = files.map((file) => readFileSync(`${root}/${file}`, 'utf8')).join('\n');
  for (const code of page) {
    const uses = whole.match(new RegExp(`(?<![a-z-])${code}(?![a-z-])`, 'g')) ?? [];
    t.ok(uses.length > 1, `${code} stands in a list, and where it is made`);
  }
});

t.test('the page has each code once, in their alphabet, with its meaning and its mend', async (t) => {
  t.same(page, [...new Set(page)].sort());
  for (const [, code, meaning, mend] of rows) t.ok(meaning!.length > 10 && mend!.length > 3, `${code}`);
});
