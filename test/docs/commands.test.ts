// Compares the pages with the programs. Commands in `console` blocks are run and their output is compared. Commands in `sh`
// blocks may need a cluster, so only their targets, scripts, verbs and flags must exist.
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';

const root = new URL('../..', import.meta.url).pathname;
const pages = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: root })
  .toString()
  .trim()
  .split('\n');

type Block = { page: string; lines: string[] };

for (const { page, lines } of blocks('console')) {
  const shown = Map.groupBy(lines, commandOf(lines));
  for (const [command, [, ...expected]] of shown) {
    t.test(`${page}: ${command}`, async (t) => {
      t.equal(await output(command), `${expected.join('\n')}\n`);
    });
  }
}

t.test('every make target, npm script, verb and flag in a page exists', async (t) => {
  const targets = new Set([...readFileSync(`${root}/Makefile`, 'utf8').matchAll(/^([a-z-]+):/gm)].map((one) => one[1]));
  const scripts = Object.keys(JSON.parse(readFileSync(`${root}/package.json`, 'utf8')).scripts as object);
  let named = 0;
  for (const { page, lines } of blocks('sh')) {
    for (const line of lines.join('\n').replaceAll('\\\n', ' ').split('\n')) {
      const [, make, npm, waybill] =
        /^(?:make ([a-z-]+)|npm run ([a-z-]+)|(?:npx )?waybill ([a-z]+.*))/.exec(line) ?? [];
      if (make !== undefined) t.ok(targets.has(make), `${page}: make ${make}`);
      if (npm !== undefined) t.ok(scripts.includes(npm), `${page}: npm run ${npm}`);
      if (waybill !== undefined) await checkFlags(t, page, waybill);
      named += make === undefined && npm === undefined && waybill === undefined ? 0 : 1;
    }
  }
  t.ok(named > 3, `${named} commands were checked`);
});

async function checkFlags(t: Test, page: string, words: string): Promise<void> {
  const [verb = '', ...rest] = words.split('#')[0]!.trim().split(/\s+/);
  const help = await output(`npx waybill ${verb} --help`);
  t.match(help, `Usage: waybill ${verb}`, `${page}: waybill ${verb}`);
  for (const flag of rest.filter((word) => word.startsWith('-'))) {
    t.ok(help.includes(flag.split('=')[0]!), `${page}: waybill ${verb} ${flag}`);
  }
}

/** Groups lines by the last command before them. */
function commandOf(lines: readonly string[]): (line: string, at: number) => string {
  let command = '';
  const commands = lines.map((line) => {
    if (line.startsWith('$ ')) command = line.slice(2);
    return command;
  });
  return (_, at) => commands[at]!;
}

/** stdout, whatever the exit code. */
function output(command: string): Promise<string> {
  const words = command.split(' ');
  const [program, args] =
    words[0] === 'npx' ? [process.execPath, ['cli/waybill.ts', ...words.slice(2)]] : [words[0]!, words.slice(1)];
  return new Promise((resolve) => {
    execFile(program, args, { cwd: root, env: { ...process.env, COLUMNS: '' } }, (_, stdout) => resolve(stdout));
  });
}

function blocks(language: string): Block[] {
  return pages.flatMap((page) =>
    [...readFileSync(`${root}/${page}`, 'utf8').matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(
      (found) => ({ page, lines: found[1]!.trimEnd().split('\n') }),
    ),
  );
}
