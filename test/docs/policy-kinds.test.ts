// Compares docs/policy-kinds.md with the code: which kinds are evaluated, recognised or passed over.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { parseObject } from '../../cluster/parse/parse.ts';
import { clusterResources } from '../../cluster/watch/resources.ts';
import { clusterKinds, isPolicy, isPolicyKind, isRecognised } from '../../model/kubernetes.ts';
import { factsOf, groupOfKind, nameOfKind, recognisedKinds, watchedFactsOf } from '../../model/recognised-policy.ts';

const page = readFileSync(new URL('../../docs/policy-kinds.md', import.meta.url), 'utf8');

type Row = { kind: string; apiVersion: string; rest: string };

function rowsOf(section: string): Row[] {
  const text = page.split(`\n## ${section}\n`)[1]!.split('\n## ')[0]!;
  return [...text.matchAll(/^\| `(\w+)` \| `([\w./]+)` \|(.*)$/gm)].map(([, kind, apiVersion, rest]) => {
    return { kind: kind!, apiVersion: apiVersion!, rest: rest!.replace(/\|$/, '').trim() };
  });
}

function parsed({ kind, apiVersion }: Row) {
  return parseObject({ apiVersion, kind, metadata: { name: 'one' }, spec: {} });
}

t.test('the page lists exactly the kinds that are evaluated', async (t) => {
  const rows = rowsOf('Evaluated');
  t.same(rows.map(({ kind }) => kind).sort(), clusterKinds.filter(isPolicyKind).sort());
  for (const row of rows) {
    const result = parsed(row);
    t.ok(result.is === 'object' && isPolicy(result.object) && result.object.kind === row.kind, row.kind);
    const resource = clusterResources.find(({ kind }) => kind === row.kind);
    t.equal(resource?.apiVersion, row.apiVersion, `${row.kind}: the watched version`);
  }
});

t.test('the page lists exactly the kinds that are recognised, with what they may do', async (t) => {
  const expected = recognisedKinds.map((kind) => {
    const { version, enforcedBy, mayAllow, mayDeny, acts } = watchedFactsOf(kind);
    const denies = acts === 'after-network' ? 'after the network' : yesOrNo(mayDeny);
    const apiVersion = `${groupOfKind(kind)}/${version}`;
    return { kind: nameOfKind(kind), apiVersion, rest: `${enforcedBy} | ${yesOrNo(mayAllow)} | ${denies}` };
  });
  const rows = rowsOf('Recognised');
  t.same(rows, expected);
  for (const row of rows) {
    const result = parsed(row);
    t.ok(result.is === 'object' && isRecognised(result.object), `${row.kind} ${row.apiVersion}`);
  }
});

t.test('what no part of a kind can do is not in its effects', async (t) => {
  for (const kind of recognisedKinds) {
    const { mayAllow, mayDeny } = factsOf(kind);
    const raw = { apiVersion: `${groupOfKind(kind)}/v1`, kind: nameOfKind(kind), metadata: { name: 'one' } };
    for (const spec of [undefined, 7, {}, { ingress: 7, egress: 7 }, { egress: [{ type: 'Deny' }] }]) {
      const result = parseObject({ ...raw, spec });
      if (result.is !== 'object' || !isRecognised(result.object)) throw new Error(kind);
      for (const { ingress, egress } of result.object.parts) {
        for (const effects of [ingress, egress]) {
          if (!mayAllow) t.equal(effects?.allow, undefined, kind);
          if (!mayDeny) t.same([effects?.deny, effects?.isolate], [undefined, undefined], kind);
        }
      }
    }
  }
});

t.test('the kinds that the page calls passed over are not read', async (t) => {
  const rows = rowsOf('Passed over');
  t.ok(rows.length > 10);
  for (const row of rows) t.equal(parsed(row).is, 'not-ours', `${row.kind} ${row.apiVersion}`);
});

function yesOrNo(value: boolean): string {
  return value ? 'yes' : 'no';
}
