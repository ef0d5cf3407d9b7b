// The house rules (docs/architecture.md): who may import whom, and that nothing runs upward or in a circle. A fault names
// the line and the rule.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';

const root = new URL('..', import.meta.url).pathname;
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], { cwd: root })
  .toString()
  .trim()
  .split('\n');

type Import = { from: string; line: number; to: string };
const imports: Import[] = files.flatMap(importsOf);

/** What each room may import besides itself. */
const rooms: Record<string, readonly string[]> = {
  model: [],
  accounting: ['model'],
  certs: ['model'],
  cluster: ['model'],
  config: ['model'],
  policy: ['model'],
  proto: ['model'],
  lint: ['model', 'policy'],
  connectivity: ['model', 'policy'],
  agent: ['accounting', 'certs', 'cluster', 'config', 'model', 'policy', 'proto'],
  collector: ['accounting', 'certs', 'cluster', 'config', 'model', 'policy', 'proto'],
  cli: [
    'accounting',
    'agent',
    'certs',
    'cluster',
    'collector',
    'config',
    'connectivity',
    'lint',
    'model',
    'policy',
    'proto',
  ],
  setup: ['agent', 'collector', 'config'],
};

/** The stages of each program in the order of the data: an earlier one never imports a later one. */
const stages: Record<string, readonly string[]> = {
  agent: ['interfaces', 'capture', 'records', 'pods', 'delivery'],
  collector: ['ingest', 'identity', 'join', 'verdict', 'findings', 'store', 'api'],
};

/** The folders of the lab, lowest first: a file imports only from its own folder or a lower one. */
const labFloors = ['system', 'topology', 'network', 'programs', 'cluster', 'traffic'];

const unpleasantNames = /(^|\/)(utils?|helpers?|common|misc|manager|base|index)(\/|\.ts$)/;

t.test('rules 1 and 2: a room imports only the rooms below it', async (t) => {
  for (const { from, line, to } of imports) {
    const room = roomOf(from);
    const allowed = rooms[room];
    if (allowed === undefined || roomOf(to) === room) continue;
    t.ok(allowed.includes(roomOf(to)), `${from}:${line} imports ${to}: ${room} may import ${allowed.join(', ')}`);
  }
});

t.test('rule 2: a stage never imports a later one', async (t) => {
  for (const { from, line, to } of imports) {
    const order = stages[roomOf(from)];
    if (order === undefined || roomOf(to) !== roomOf(from)) continue;
    const [own, other] = [order.indexOf(stageOf(from)), order.indexOf(stageOf(to))];
    if (own >= 0) t.ok(other >= 0 && other <= own, `${from}:${line} imports ${to}, which comes later`);
  }
});

t.test('a file of the lab imports only from its own floor or a lower one; its top files import from all', async (t) => {
  const isTop = (file: string) => file.split('/').length === 2;
  const floorOf = (file: string) => (isTop(file) ? labFloors.length : labFloors.indexOf(stageOf(file)));
  const labFiles = files.filter((file) => roomOf(file) === 'lab');
  for (const floor of labFloors) {
    t.ok(
      labFiles.some((file) => file.startsWith(`lab/${floor}/`)),
      `lab/${floor} has files`,
    );
  }
  for (const file of labFiles) t.ok(floorOf(file) >= 0, `${file} is in a floor: ${labFloors.join(', ')}`);
  for (const { from, line, to } of imports) {
    if (roomOf(from) !== 'lab' || roomOf(to) !== 'lab') continue;
    t.ok(floorOf(to) <= floorOf(from), `${from}:${line} imports ${to}, which is on a higher floor`);
  }
});

t.test(
  'rule 3: the programs are started by the command line alone, and nobody imports lab, bench or test',
  async (t) => {
    for (const { from, line, to } of imports) {
      const room = roomOf(from);
      if (to.endsWith('/main.ts')) t.equal(room, 'cli', `${from}:${line} imports ${to}`);
      if (room === 'test') continue;
      t.not(roomOf(to), 'test', `${from}:${line} imports ${to}`);
      if (room !== 'bench') t.not(roomOf(to), 'bench', `${from}:${line} imports ${to}`);
      if (room !== 'bench' && room !== 'lab') t.not(roomOf(to), 'lab', `${from}:${line} imports ${to}`);
    }
  },
);

t.test('rule 4: no file imports itself by way of others', async (t) => {
  const after = Map.groupBy(imports, ({ from }) => from);
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) {
      t.fail(`a circle: ${[...way.slice(way.indexOf(file)), file].join(' -> ')}`);
      return;
    }
    if (done.has(file)) return;
    for (const { to } of after.get(file) ?? []) visit(to, [...way, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  t.equal(done.size > files.length / 2, true, 'the files were walked');
});

t.test('every room is known to these rules, and every file has a name that says what is in it', async (t) => {
  for (const file of files) {
    t.ok(['bench', 'lab', 'test', ...Object.keys(rooms)].includes(roomOf(file)), `${file}: a room without a rule`);
    t.notMatch(file, unpleasantNames, file);
  }
});

function roomOf(file: string): string {
  return file.split('/')[0]!;
}

function stageOf(file: string): string {
  return file.split('/')[1]!;
}

function importsOf(from: string): Import[] {
  return readFileSync(join(root, from), 'utf8')
    .split('\n')
    .flatMap((text, at) => {
      const path = /(?:from|import\(|^import) ?'(\.[^']+)'/.exec(text)?.[1];
      return path === undefined ? [] : [{ from, line: at + 1, to: normalize(join(dirname(from), path)) }];
    });
}
