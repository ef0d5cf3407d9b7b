// Every claim of docs/threat-model.md names its tests: each file exists, and contains a test or an attack of that name.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { campaigns } from '../../lab/attack/attacks.ts';

const root = new URL('../..', import.meta.url).pathname;
const page = readFileSync(join(root, 'docs/threat-model.md'), 'utf8');
const results = ['prevented', 'detected', 'neither'];

type Claim = { does: string; result: string; tests: { file: string; name: string }[] };

/** A row of a table is a claim; rows without an attack have further tests of the claim above. */
const claims: Claim[] = [];
for (const line of page.split('\n')) {
  if (!line.startsWith('| ') || /^\| (what it does|---) /.test(line)) continue;
  const [does = '', result = '', test = ''] = line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
  if (does !== '') claims.push({ does, result, tests: [] });
  if (test !== 'none') claims.at(-1)!.tests.push(testOf(test));
}

/** `FILE`: NAME */
function testOf(text: string): Claim['tests'][number] {
  const [, file = '', name = ''] = /^`([^`]+)`: (.+)$/.exec(text) ?? [];
  return { file, name };
}

t.test('every claim says whether the attack is prevented, detected or neither', async (t) => {
  t.ok(claims.length >= 30, `${claims.length} claims`);
  for (const { does, result } of claims) {
    t.ok(
      results.some((word) => result.startsWith(`**${word}**`)),
      `${does}: ${result}`,
    );
  }
});

t.test('every claim names a test, and the file has a test of that name', async (t) => {
  for (const { does, result, tests } of claims) {
    t.ok(tests.length > 0 || result.startsWith('**neither**'), `${does}: has a test`);
    for (const { file, name } of tests) {
      t.ok(file !== '' && existsSync(join(root, file)) && namesIn(file).includes(name), `${does}: ${file}: ${name}`);
    }
  }
});

t.test('every attack of the lab is named by a claim', async (t) => {
  const named = new Set(claims.flatMap(({ tests }) => tests.map(({ name }) => name)));
  for (const { attacks } of campaigns) for (const { name } of attacks) t.ok(named.has(name), name);
});

/** Every string literal of the file: the names of its tests and attacks are among them. */
function namesIn(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`/g)].map(
    ([, single, double, template]) => (single ?? double ?? template ?? '').replaceAll(/\\(.)/g, '$1'),
  );
}
