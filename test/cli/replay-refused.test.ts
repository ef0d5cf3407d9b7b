import t from 'tap';
import { replayScene, run } from '../scene/replay.ts';

type ReplayScene = ReturnType<typeof replayScene>;

const wrong: [name: string, args: (made: ReplayScene) => string[], line: RegExp][] = [
  ...['many', '', '1.5', '1e3', '-5', '0'].map((value): (typeof wrong)[number] => [
    `--max-connections=${value}`,
    ({ args }) => [...args, `--max-connections=${value}`],
    /^bad-flag: --max-connections: "[^"]*" is not (a whole number|in the allowed range); (write digits only|set a number from 1 to 10000000)$/,
  ]),
  ['a severity', ({ args }) => [...args, '--fail-on', 'awful'], /^bad-usage: .*awful.*; see --help$/],
  ['a format', ({ args }) => [...args, '-o', 'xml'], /^bad-usage: .*xml.*; see --help$/],
  ['a policy option', ({ args }) => [...args, '--option', 'declaredBy=some'], /^bad-option-value: .*; .*$/],
  ['a flag', ({ args }) => [...args, '--quickly'], /^bad-usage: unknown option '--quickly'; see --help$/],
  ['no manifests', ({ some }) => [some], /^bad-usage: .*--cluster.*; see --help$/],
  [
    'manifests that are not there',
    ({ some }) => [some, '--cluster', `${some}.yaml`],
    /^cannot-read: .*no such file or folder; .*$/,
  ],
  ['no file', ({ cluster }) => cluster, /^bad-usage: .*file.*; see --help$/],
];

t.test('a wrong flag, argument or path is refused in one line, before any capture is read', async (t) => {
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
