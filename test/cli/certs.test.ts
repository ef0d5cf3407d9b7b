import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { runWaybill } from '../scene/programs.ts';

t.jobs = 4;
const folder = t.testdir();

t.test('waybill certs prints each file that it wrote', { buffered: true }, async (t) => {
  const out = `${folder}/a/b/certs`;
  const words = ['certs', '--out', out, '--node', 'n1', '--server', 'localhost', '192.0.2.1', 'fd00::1', '--days', '1'];
  const made = await runWaybill(words);
  t.match(made, { code: 0, err: '' });
  const names = ['ca', 'collector', 'agent-n1', 'client'].flatMap((name) => [`${name}.crt`, `${name}.key`]);
  t.same(
    made.out.trim().split('\n'),
    names.map((name) => `${out}/${name}`),
  );
  const authority = await runWaybill(['certs', '--out', out, '--new-authority']);
  t.match(authority, { code: 0, err: '', out: `${out}/ca.crt\n${out}/ca.key\n` });
});

for (const days of ['abc', '0', '-5', '1e9', '1.5', '', '3651']) {
  t.test(`--days ${JSON.stringify(days)} is refused, and nothing is written`, { buffered: true }, async (t) => {
    const out = `${folder}/days-${days}`;
    const refused = await runWaybill(['certs', '--out', out, `--days=${days}`]);
    t.match(refused, { code: 2, out: '' });
    t.equal(refused.err, `bad-flag: --days "${days}": it is out of range; set a whole number from 1 to 3650\n`);
    t.notOk(existsSync(out));
  });
}

t.test('all invalid names of nodes and servers are reported', { buffered: true }, async (t) => {
  const out = `${folder}/names`;
  const names = ['--node', 'a b/../c', 'n1', 'N2', '--server', 'http://x', 'localhost:7443', '1.2.3'];
  const { code, err } = await runWaybill(['certs', '--out', out, ...names]);
  t.equal(code, 2);
  t.match(err.trim().split('\n'), [
    /^bad-flag: --node "a b\/\.\.\/c": it is not a valid node name; /,
    /^bad-flag: --node "N2": /,
    /^bad-flag: --server "http:\/\/x": it is neither a DNS name nor an IP address; .* without a port$/,
    /^bad-flag: --server "localhost:7443": /,
    /^bad-flag: --server "1\.2\.3": /,
  ]);
  t.notOk(existsSync(out));
});

t.test('a folder that cannot be written is reported in one line', { buffered: true }, async (t) => {
  writeFileSync(`${folder}/file`, '');
  for (const [out, fault] of [
    [`${folder}/file`, 'it exists and is not a folder'],
    [`${folder}/file/certs`, 'a part of the path is not a folder'],
    ['/proc/certs', 'no folder can be created here'],
    ['/proc/certs/of/mine', 'no folder can be created here'],
  ] as const) {
    const { code, err } = await runWaybill(['certs', '--out', out]);
    t.equal(code, 2, out);
    t.match(err, new RegExp(`^cannot-write: [^;]*: ${fault}; set --out to a folder that you can write to\\n$`));
  }
  t.ok(readdirSync(folder).includes('file'));
});
