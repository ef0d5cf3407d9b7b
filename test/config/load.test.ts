import { writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type ConfigSources, loadConfig } from '../../config/load.ts';
import { duration, hostPort, integer, path, text } from '../../config/setting.ts';
import { ProblemError } from '../../model/problem.ts';

const schema = {
  ingest: {
    listen: hostPort({ default: '0.0.0.0:7443', help: '' }),
    maxAgents: integer({ default: 10, min: 1, max: 100, help: '' }),
  },
  findings: { grace: duration({ default: '10s', max: '10m', help: '' }) },
  store: {
    path: path({ default: '/var/lib/waybill', help: '' }),
    token: text({ default: '', help: '', secret: true }),
  },
};

function sources(t: Test, { yaml, ...rest }: Partial<ConfigSources> & { yaml?: string }): ConfigSources {
  const file = yaml === undefined ? undefined : `${t.testdir()}/waybill.yaml`;
  if (file !== undefined) writeFileSync(file, yaml!);
  return { file, flags: {}, env: {}, ...rest };
}

/** The error lines, without the folder of the test. */
function faults(t: Test, wrong: Partial<ConfigSources> & { yaml?: string }): string[] {
  try {
    loadConfig(schema, sources(t, wrong));
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return error.message.replaceAll(`${t.testdirName}/`, '').split('\n');
  }
  return [];
}

t.test('flags override variables, variables the file, and the file the defaults', async (t) => {
  const flags = { 'findings-grace': '1s' };
  const env = { WAYBILL_FINDINGS_GRACE: '2s', WAYBILL_INGEST_MAX_AGENTS: '2' };
  const yaml = 'findings: {grace: 3s}\ningest: {maxAgents: 3, listen: "[::1]:1"}\n';
  t.same(loadConfig(schema, sources(t, { flags, env, yaml })), {
    ingest: { listen: '[::1]:1', maxAgents: 2 },
    findings: { grace: 1000 },
    store: { path: '/var/lib/waybill', token: '' },
  });
  t.match(loadConfig(schema, sources(t, { yaml })), { ingest: { maxAgents: 3 }, findings: { grace: 3000 } });
  t.match(loadConfig(schema, sources(t, {})), { ingest: { maxAgents: 10 }, findings: { grace: 10_000 } });
});

t.test('an empty value in the file keeps the default', async (t) => {
  for (const yaml of ['', '# nothing\n', '{}', 'findings:\n', 'findings:\n  # grace: 1s\n', 'findings: {grace: }']) {
    t.match(loadConfig(schema, sources(t, { yaml })), { findings: { grace: 10_000 } }, JSON.stringify(yaml));
  }
});

t.test('all faults are reported together, each with its place', async (t) => {
  const wrong = {
    flags: { 'ingest-listen': '7443' },
    env: { WAYBILL_INGEST_MAX_AGENTS: 'many' },
    yaml: 'findings:\n  grace: 1h\nstore:\n  path: 5\n  colour: red\n',
  };
  t.same(faults(t, wrong), [
    'unknown-setting: waybill.yaml:5, store.colour: unknown setting "store.colour"; use a setting of docs/config.md',
    'bad-setting: --ingest-listen: "7443" is not a host:port; write it as 0.0.0.0:7443, [::1]:7443 or name:7443',
    'bad-setting: WAYBILL_INGEST_MAX_AGENTS: "many" is not a whole number; write digits only',
    'bad-setting: waybill.yaml:2, findings.grace: "1h" is not in the allowed range; set a value from 0s to 10m',
    'bad-setting: waybill.yaml:4, store.path: 5 is not a path; write the path of a file or folder',
  ]);
});

t.test('a flag does not hide an unknown setting in the file', async (t) => {
  const flags = { 'findings-grace': '1s' };
  t.match(faults(t, { flags, yaml: 'findings: {grase: 1s}' }), [
    /^unknown-setting: waybill\.yaml:1, findings\.grase: /,
  ]);
});

t.test('a similar name is suggested', async (t) => {
  const suggested: [yaml: string, fix: string][] = [
    ['findings: {grase: 1s}', 'write findings\\.grace, or another setting of docs/config\\.md'],
    ['finding: {grace: 1s}', 'write findings\\.grace, or another setting of docs/config\\.md'],
    ['ingest: {grace: 1s}', 'write findings\\.grace, or another setting of docs/config\\.md'],
    ['grace: 1s', 'write findings\\.grace, or another setting of docs/config\\.md'],
    ['ingest: {maxagents: 1}', 'write ingest\\.maxAgents, or another setting of docs/config\\.md'],
    ['x: {y: 1}', 'use a setting of docs/config\\.md'],
    ['observability: true', 'use a setting of docs/config\\.md'],
  ];
  for (const [yaml, fix] of suggested) t.match(faults(t, { yaml }), [new RegExp(`; ${fix}$`)], yaml);
});

t.test('a setting outside its section, and a section with a value, are reported', async (t) => {
  t.same(faults(t, { yaml: 'findings.grace: 1s' }), [
    'bad-setting: waybill.yaml:1, findings.grace: a setting must be inside its section; write findings: {grace: …}',
  ]);
  for (const yaml of ['findings: 1s', 'findings: [grace]', 'findings: true']) {
    t.match(faults(t, { yaml }), [/^bad-setting: waybill\.yaml:1, findings: .*; write findings: \{grace: …\}$/], yaml);
  }
});

t.test('a file that is not YAML, or not a map, is reported in one line', async (t) => {
  const broken: [yaml: string, fault: RegExp][] = [
    ['findings:\n  grace: [1s\n', /^bad-config-file: waybill\.yaml:3: flow sequence.*; fix the YAML syntax$/],
    [
      'findings: {}\nfindings: {}\n',
      /^bad-config-file: waybill\.yaml:2: map keys must be unique; fix the YAML syntax$/,
    ],
    ['a: 1\n---\nb: 2\n', /^bad-config-file: waybill\.yaml:2: .*; fix the YAML syntax$/],
    ['- findings\n', /^bad-config-file: waybill\.yaml: it is not a map of sections; write SECTION: \{NAME: VALUE\}$/],
    ['grace', /^bad-config-file: waybill\.yaml: it is not a map of sections; /],
    ['findings: {grace: *none}', /^bad-config-file: waybill\.yaml: .*alias.*; write the values without aliases$/],
    [bomb(), /^bad-config-file: waybill\.yaml: .*alias.*; write the values without aliases$/],
  ];
  for (const [yaml, fault] of broken) t.match(faults(t, { yaml }), [fault], yaml.slice(0, 40));
});

t.test('an unreadable file is reported in one line', async (t) => {
  t.same(faults(t, { file: '/nowhere/waybill.yaml' }), [
    'bad-config-file: /nowhere/waybill.yaml: cannot be read (ENOENT); give the path of a readable file',
  ]);
  t.match(faults(t, { file: t.testdir() }), [/^bad-config-file: .*: cannot be read \(EISDIR\); /]);
});

t.test('control characters in names of the file are escaped', async (t) => {
  const [line, ...more] = faults(t, { yaml: '"a\\nb\\e[31m": {c: 1}' });
  t.same(more, []);
  t.match(line, /^unknown-setting: waybill\.yaml.*: unknown setting "a\\nb\\u001b\[31m\.c"; /);
});

t.test('names that every JavaScript object has are unknown settings', async (t) => {
  t.match(faults(t, { yaml: 'findings: {constructor: 1}\ntoString: {x: 1}' }), [
    /findings\.constructor/,
    /toString\.x/,
  ]);
});

t.test('an invalid secret is not shown', async (t) => {
  const [line] = faults(t, { yaml: 'store: {token: 12345}' });
  t.match(line, /^bad-setting: waybill\.yaml:1, store\.token: invalid value \(not shown\); put it in quotes$/);
});

function bomb(): string {
  const lines = ['a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]'];
  for (const [now, before] of ['ba', 'cb', 'dc', 'ed']) lines.push(`${now}: &${now} [${`*${before}, `.repeat(10)}1]`);
  return lines.join('\n');
}
