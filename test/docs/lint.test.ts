// docs/lint.md against the rules: each stands in its table as it tells of itself, and no other.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { reasonAnnotation } from '../../lint/rules/open-egress.ts';
import { lintRules } from '../../lint/rules.ts';

const page = readFileSync(new URL('../../docs/lint.md', import.meta.url), 'utf8');

t.test('the page has each rule of lint with its severity and what it complains of, and no other', async (t) => {
  const rows = [...page.matchAll(/^\| `[a-z-]+` \| .*$/gm)].map(([row]) => row);
  t.same(
    rows,
    lintRules.map(({ name, severity, summary }) => `| \`${name}\` | ${severity} | ${summary} |`),
  );
});

t.test('the page names the annotation that gives a reason', async (t) => {
  t.match(page, `    ${reasonAnnotation}: `);
});
