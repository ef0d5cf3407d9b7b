import { readFileSync } from 'node:fs';
import t from 'tap';
import { problemLine } from '../../model/problem.ts';
import { policyProblemCodes } from '../../policy/errors.ts';
import { defaultPolicyOptions, parsePolicyOptions, policyOptionValues } from '../../policy/options.ts';
import { app, outside, pod, policy, verdictOf } from '../scene/cluster.ts';

const web = pod('shop/web', { app: 'web' });
const db = pod('shop/db', { app: 'db' });
const ingressOnly = [policy('shop/db', { podSelector: app('db'), ingress: [{}] })];
const both = [...ingressOnly, policy('shop/web', { podSelector: app('web'), policyTypes: ['Egress'], egress: [{}] })];

t.test('declaredBy=any: a rule of one side makes the connection allowed', async (t) => {
  t.equal(verdictOf(web, db, 80, ingressOnly, { declaredBy: 'any' }).verdict, 'allowed');
});

t.test('declaredBy=every: each side inside the cluster needs a rule', async (t) => {
  const every = { declaredBy: 'every' } as const;
  t.equal(verdictOf(web, db, 80, ingressOnly, every).verdict, 'undeclared');
  t.equal(verdictOf(web, db, 80, both, every).verdict, 'allowed');
  t.equal(verdictOf(outside('203.0.113.7'), db, 80, ingressOnly, every).verdict, 'allowed', 'one side is outside');
  t.equal(verdictOf(db, web, 80, both, every).verdict, 'undeclared');
});

t.test('declaredBy=every does not change denied and unknown', async (t) => {
  const denied = [policy('shop/db', { podSelector: app('db') })];
  t.equal(verdictOf(web, db, 80, denied, { declaredBy: 'every' }).verdict, 'denied');
  const broken = [policy('shop/db', { podSelector: app('db'), ingress: [{ ports: [{ endPort: 1 }] }] })];
  t.equal(verdictOf(web, db, 80, broken, { declaredBy: 'every' }).verdict, 'unknown');
});

t.test('options are NAME=VALUE; the last value of a name counts, and missing options have their default', async (t) => {
  t.same(parsePolicyOptions([]), { options: defaultPolicyOptions, problems: [] });
  const { options, problems } = parsePolicyOptions(['declaredBy=any', 'declaredBy=every']);
  t.same(options, { ...defaultPolicyOptions, declaredBy: 'every' });
  t.same(problems, []);
  t.equal(parsePolicyOptions(['ipBlockMatchesPods=false']).options.ipBlockMatchesPods, false);
});

t.test('each unknown option and each unknown value is one error line', async (t) => {
  const { options, problems } = parsePolicyOptions([
    'color=red',
    'declaredBy=some',
    'ipBlockMatchesPods',
    'toString=1',
  ]);
  t.same(options, defaultPolicyOptions);
  t.same(problems.map(problemLine), [
    'unknown-option: --option color: unknown option; use one of ipBlockMatchesPods, declaredBy',
    'bad-option-value: --option declaredBy: unknown value "some"; write declaredBy=any or declaredBy=every',
    'bad-option-value: --option ipBlockMatchesPods: the value is missing; write ipBlockMatchesPods=true or ipBlockMatchesPods=false',
    'unknown-option: --option toString: unknown option; use one of ipBlockMatchesPods, declaredBy',
  ]);
  t.same(new Set(problems.map((one) => one.code)), new Set(policyProblemCodes));
});

t.test('docs/policy-semantics.md lists each option with its values and its default', async (t) => {
  const whole = readFileSync(new URL('../../docs/policy-semantics.md', import.meta.url), 'utf8');
  const page = whole.split('\n## ').find((section) => section.startsWith('Options\n')) ?? '';
  for (const [name, values] of Object.entries(policyOptionValues)) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
    t.ok(row, `${name} has a row`);
    for (const value of values) t.ok(row?.includes(`\`${value}\``), `${name}=${value}`);
    const fallback = String(defaultPolicyOptions[name as keyof typeof defaultPolicyOptions]);
    t.equal(row?.split('|')[3]?.trim(), `\`${fallback}\``, `the default of ${name}`);
  }
  const rows = page.split('\n').filter((line) => /^\| `\w+` \|/.test(line));
  t.equal(rows.length, Object.keys(policyOptionValues).length, 'the page lists no other option');
});
