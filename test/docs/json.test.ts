// Compares docs/json.md with the types and with real output: the page has every field, and no other.
import { readFileSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { evaluateBatch } from '../../cli/verdict-batch.ts';
import { readManifests } from '../../cluster/manifests/read.ts';
import type { StatusJson } from '../../collector/api/api.ts';
import type { Connection } from '../../model/connection.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import type { Finding } from '../../model/finding.ts';
import { connectionJson, findingJson } from '../../model/json.ts';
import { ICMP } from '../../model/protocol.ts';
import { defaultPolicyOptions } from '../../policy/options.ts';
import { status } from '../scene/api.ts';
import { connection } from '../scene/connections.ts';
import { finding } from '../scene/findings.ts';
import { db, ip } from '../scene/records.ts';
import {
  answerFields,
  changedFields,
  complaintFields,
  connectionFields,
  directionPoliciesFields,
  endpointFields,
  findingFields,
  nodeFields,
  passingFields,
  placeFields,
  podPoliciesFields,
  selectedPolicyFields,
  sideFields,
} from './json-fields.ts';

const root = new URL('../..', import.meta.url).pathname;
const page = readFileSync(`${root}/docs/json.md`, 'utf8');

/** The first cells of the table below `heading` whose first header is `head`. */
function tableOf(heading: string, head: string): string[] {
  const begin = page.indexOf(`\n## ${heading}\n`);
  if (begin < 0) throw new Error(`docs/json.md has no heading ${heading}`);
  const after = page.indexOf('\n## ', begin + 1);
  const lines = page.slice(begin, after < 0 ? undefined : after).split('\n');
  const from = lines.findIndex((line) => line.startsWith(`| ${head} |`));
  if (from < 0) throw new Error(`docs/json.md has no table "${head}" below ${heading}`);
  const rows = lines.slice(from + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end < 0 ? undefined : end).map((line) => /^\| `([^`]+)` \|/.exec(line)?.[1] ?? line);
}

const tables: [heading: string, head: string, fields: object][] = [
  ['Endpoint', 'field', endpointFields],
  ['Finding', 'field', findingFields],
  ['Connection', 'field', connectionFields],
  ['Side', 'field', sideFields],
  ['`waybill verdict --cluster PATH --batch`', 'answer', answerFields],
  ['`waybill lint -o json`', 'field', complaintFields],
  ['`waybill connectivity -o json`', 'field', passingFields],
  ['`waybill connectivity -o json`', 'field of a change', changedFields],
  ['`waybill connectivity -o json`', 'field of a place', placeFields],
  ['`waybill policies -o json`', 'field', podPoliciesFields],
  ['`waybill policies -o json`', 'field of a direction', directionPoliciesFields],
  ['`waybill policies -o json`', 'field of a policy', selectedPolicyFields],
  ['`waybill status -o json`', 'field of a node', nodeFields],
];

for (const [heading, head, fields] of tables) {
  t.test(`${heading}: the table "${head}" has every field of the type, once`, async (t) => {
    t.same(tableOf(heading, head).sort(), Object.keys(fields).sort());
  });
}

t.test('the status has every field of the type, once', async (t) => {
  const whole: StatusJson = { ...status, series: { points: 1, dropped: 0 }, followers: { now: 0, dropped: 0 } };
  const paths = Object.entries(whole).flatMap(([name, value]) => {
    const byName = name === 'verdicts' || name === 'namespaces';
    const inner = byName || typeof value !== 'object' || value === null ? [] : Object.keys(value);
    return inner.length === 0 ? [name] : inner.map((field) => `${name}.${field}`);
  });
  t.same(tableOf('`waybill status -o json`', 'field').sort(), [...paths, 'series'].sort());
});

const everyEnd: Endpoint = {
  kind: 'service',
  ip: db,
  namespace: 'shop',
  workload: 'db',
  workloadKind: 'Deployment',
  pod: 'db-1',
  node: 'n2',
  service: 'db',
  zone: 'vpc',
  names: ['db.example.org'],
  unverifiedNames: [{ name: 'other.example.org', from: ip('203.0.113.9') }],
};

/** One connection with every field, and one with the required fields only. */
const connections: readonly Connection[] = [
  connection({
    responder: everyEnd,
    translated: { initiator: ip('10.0.1.2'), initiatorPort: 40_000, responder: ip('10.96.0.1'), responderPort: 80 },
    delivered: { delivered: 'unknown', why: 'half-visible' },
    verdict: 'unknown',
    declaredVerdict: 'denied',
    unknownReason: 'the address had no owner at that time',
    findingId: 'f1',
    foreignSource: { address: ip('10.0.1.7'), of: 'pod', owner: everyEnd },
    sequenceRewritten: true,
  }),
  connection({ protocol: ICMP, rttUs: 0 }),
];
const { responder: _, protocol: __, port: ___, connection: ____, ...alone } = finding({ kind: 'inert' });
const rolledUp = {
  ports: { count: 30, first: [1] },
  protocols: { count: 30, first: [ICMP] },
  responders: { count: 60, first: [everyEnd] },
};
const findings: readonly Finding[] = [finding({ responder: everyEnd, ...rolledUp }), alone];

t.test('a connection in JSON has the fields of the page, and can have each of them', async (t) => {
  const [full, minimal] = connections.map(connectionJson);
  t.same(Object.keys(full!).sort(), Object.keys(connectionFields).sort());
  t.same(Object.keys(full!.responder).sort(), Object.keys(endpointFields).sort());
  const optional = [
    'sourceAddress',
    'translated',
    'port',
    'initiatorPort',
    'elsewhere',
    'reason',
    'deliveredReason',
    'rttMs',
    'sequenceRewritten',
    'finding',
  ];
  t.same(
    Object.keys(connectionFields).filter((field) => !(field in minimal!)),
    optional,
  );
  for (const field of optional)
    t.match(rowOf('Connection', field).split('|').slice(2).join('|'), /missing|if |why/, field);
  t.match(full, { rttMs: 0.18, packets: { forward: 5 }, start: '2026-01-01T00:00:00.000Z', names: ['db.example.org'] });
});

t.test('a finding in JSON has the fields of the page, and can have each of them', async (t) => {
  const [full, minimal] = findings.map(findingJson);
  t.same(Object.keys(full!).sort(), Object.keys(findingFields).sort());
  t.same(Object.keys(full!.responder!).sort(), Object.keys(endpointFields).sort());
  const members = ['ports', 'protocols', 'responders'];
  t.match(full, { protocols: { count: 30, first: ['ICMP'] }, responders: { first: [{ workload: 'db' }] } });
  const optional = ['responder', 'protocol', 'port', ...members, 'placement', 'verdict', 'outcome', 'delivered'];
  t.same(
    Object.keys(findingFields).filter((field) => !(field in minimal!)),
    optional,
  );
});

t.test('every field of the first release still exists', async (t) => {
  const promised: [fields: object, names: string][] = [
    [endpointFields, 'kind namespace workload workloadKind pod ip node zone names'],
    [
      findingFields,
      'id kind severity initiator responder protocol port placement verdict outcome delivered connections ' +
        'firstSeen lastSeen explanation evidence sides ports responders',
    ],
    [
      connectionFields,
      'id start end initiator responder translated protocol port initiatorPort placement verdict outcome delivered ' +
        'packets bytes rttMs observed names',
    ],
    [sideFields, 'side verdict decidedBy isolatedBy why'],
    [answerFields, 'id verdict reason sides error'],
  ];
  for (const [fields, names] of promised) for (const name of names.split(' ')) t.ok(name in fields, name);
});

t.test('the questions of the page get the answers of the page', async (t) => {
  const [questions, answers] = [...page.matchAll(/^```jsonl\n((?:.*\n)*?)```/gm)].map(([, lines]) => lines!);
  const { objects } = await readManifests(`${root}/test/cases/shop/cluster.yaml`);
  const output = new PassThrough();
  const faults = await evaluateBatch(Readable.from([questions!]), output, objects, defaultPolicyOptions);
  output.end();
  t.equal(await text(output), answers);
  t.equal(faults, 1, 'the last question is invalid');
  const asked = questions!.split('\n').flatMap((line) => (line === '' ? [] : Object.keys(JSON.parse(line) as object)));
  t.same([...new Set(asked)].sort(), tableOf('`waybill verdict --cluster PATH --batch`', 'question').sort());
});

function rowOf(heading: string, field: string): string {
  const begin = page.indexOf(`\n## ${heading}\n`);
  return (
    page
      .slice(begin)
      .split('\n')
      .find((line) => line.startsWith(`| \`${field}\` |`)) ?? ''
  );
}
