import t from 'tap';
import { replayScene, run } from '../scene/replay.ts';

type ReplayScene = ReturnType<typeof replayScene>;

const wrong: [name: string, args: (made: ReplayScene) => string[], line: RegExp][] = [
  ...['many', '', '1.5', '1e3', '-5', '0'].map((value): (typeof wrong)[number] => [
    `--max-connections=${value}`,
    ({ args }) => [...args, `--max-connections=${value}`],
    /^bad-flag: --max-connections: "[^"]*" is not (a whole number|in its range); (write digits only|set 1 to 10000000)$/,
  ]),
  ['a severity', ({ args }) => [...args, '--fail-on', 'awful'], /^bad-usage: .*awful.*; --help has the flags$/],
  ['a format', ({ args }) => [...args, '-o', 'xml'], /^bad-usage: .*xml.*; --help has the flags$/],
  ['a policy option', ({ args }) => [...args, '--option', 'declaredBy=some'], /^bad-option-value: .*; .*$/],
  ['a flag', ({ args }) => [...args, '--quickly'], /^bad-usage: unknown option '--quickly'; --help has the flags$/],
  ['no manifests', ({ some }) => [some], /^bad-usage: .*--cluster.*; --help has the flags$/],
  [
    'manifests that are not there',
    ({ some }) => [some, '--cluster', `${some}.yaml`],
    /^cannot-read: .*no such file or folder; .*$/,
  ],
  ['no file', ({ cluster }) => cluster, /^bad-usage: .*file.*; --help has the flags$/],
];

t.test('what is asked for wrongly is refused with one line, before anything is read', async (t) => {
  const made = replayScene(t);
  const rans = await Promise.all(
    wrong.map(async ([name, args, line]) => ({ name, line, ran: await run(...args(made)) })),
  );
  for (const { name, line, ran } of rans) {
    t.equal(ran.err.length, 1, `${name}: ${ran.err}`);
    t.match(ran.err[0], line, name);
    t.equal(ran.out, '', name);
    t.equal(ran.code, 2, name);
  }
});
