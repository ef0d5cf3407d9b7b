// Compares docs/lint.md with the rules of lint.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { reasonAnnotation } from '../../lint/rules/open-egress.ts';
import { lintRules } from '../../lint/rules.ts';

const page = readFileSync(new URL('../../docs/lint.md', import.meta.url), 'utf8');

t.test('the page lists exactly the rules of lint, with severity and summary', async (t) => {
  const rows = [...page.matchAll(/^\| `[a-z-]+` \| .*$/gm)].map(([row]) => row);
  t.same(
    rows,
    lintRules.map(({ name, severity, summary }) => `| \`${name}\` | ${severity} | ${summary} |`),
  );
});

t.test('the page names the annotation that gives a reason', async (t) => {
  t.match(page, `    ${reasonAnnotation}: `);
});
