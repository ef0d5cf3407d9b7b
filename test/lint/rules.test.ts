// Each lint rule has a folder here: manifests that raise complaints, with the expected complaints, and similar manifests
// that must not raise any.
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { type ComplaintJson, complaintJson } from '../../cli/output/complaints.ts';
import { readSources } from '../../cluster/manifests/read.ts';
import { DeclaredObjects } from '../../lint/declared-objects.ts';
import { lint } from '../../lint/lint.ts';
import { lintRules } from '../../lint/rules.ts';

const root = new URL('../..', import.meta.url).pathname;
const folders = `${root}/test/lint/rules`;

async function complaintsOf(file: string): Promise<{ complaints: ComplaintJson[]; problems: number; broken: number }> {
  const { objects, problems, customResources, sources } = await readSources(file);
  const declared = new DeclaredObjects(objects, (object) => sources.get(object), customResources);
  const complaints = lint(declared, lintRules).map((complaint) => {
    return complaintJson(complaint, (path) => sources.get(complaint.object)!.locate(path));
  });
  const broken = declared.policies.flatMap((policy) => policy.broken ?? []).length;
  return { complaints, problems: problems.length, broken };
}

for (const { name, severity } of lintRules) {
  t.test(`${name}: each complaint names the object, the line and the field, what is wrong, and the fix`, async (t) => {
    const { complaints } = await complaintsOf(`${folders}/${name}/raises.yaml`);
    const own = complaints.filter(({ rule }) => rule === name);
    const expected = readFileSync(`${folders}/${name}/raises.jsonl`, 'utf8').trim().split('\n');
    t.same(
      own,
      expected.map((line) => JSON.parse(line)),
    );
    t.ok(
      own.some((complaint) => complaint.severity === severity),
      'a complaint has the severity of the rule',
    );
    for (const { fault, fix } of own) t.notMatch(`${fault}${fix}`, /undefined|\n|\.$/);
  });

  t.test(`${name}: similar but correct manifests raise nothing`, async (t) => {
    const { complaints, problems, broken } = await complaintsOf(`${folders}/${name}/near-miss.yaml`);
    t.same([problems, broken], [0, 0], 'the manifests are read');
    t.same(
      complaints.filter(({ rule }) => rule === name),
      [],
    );
  });
}

t.test('every rule has a folder, a file and an entry in the list, in alphabetical order', async (t) => {
  const names = lintRules.map(({ name }) => name);
  t.same(readdirSync(folders).sort(), names);
  t.same(
    readdirSync(`${root}/lint/rules`).map((file) => file.replace('.ts', '')),
    names,
  );
});

t.test('the order of complaints does not depend on the order of the objects', async (t) => {
  const { objects, sources } = await readSources(folders);
  const complaints = (some: typeof objects) =>
    lint(new DeclaredObjects(some, (object) => sources.get(object)), lintRules).map(
      ({ rule, object, path, fault }) => `${rule} ${object.name} ${path.join('.')} ${fault}`,
    );
  const once = complaints(objects);
  t.ok(once.length > 20);
  t.same(complaints(objects.toReversed()), once);
});
