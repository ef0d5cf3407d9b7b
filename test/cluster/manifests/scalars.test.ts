import t from 'tap';
import { readDocuments } from '../../../cluster/manifests/documents.ts';
import { parseManifest } from '../../../cluster/manifests/manifest.ts';
import { problemLine } from '../../../model/problem.ts';

/** Each scalar with its value in the output of `kubectl annotate --local -o json` of Kubernetes 1.32. */
const meanings: [string, unknown][] = [
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON', 'true', 'True', 'TRUE'].map((text): [string, boolean] => [
    text,
    true,
  ]),
  ...['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF', 'false', 'FALSE'].map((text): [string, boolean] => [
    text,
    false,
  ]),
  ['yEs', 'yEs'],
  ['"yes"', 'yes'],
  ['!!str yes', 'yes'],
  ['!foo yes', 'yes'],
  ['!!bool yes', true],
  ['010', 8],
  ['0777', 511],
  ['-010', -8],
  ['0o10', 8],
  ['0_7', 7],
  ['08', 8],
  ['0123456789', 123456789],
  ['!!int 010', 8],
  ['!!str 010', '010'],
  ['0x1F', 31],
  ['0x_1F', 31],
  ['0b101', 5],
  ['1_000', 1000],
  ['1_', 1],
  ['+5', 5],
  ['0', 0],
  ['0x', '0x'],
  ['_1', '_1'],
  ['1:30', '1:30'],
  ['190:20:30', '190:20:30'],
  ['2026-01-31', '2026-01-31'],
  ['2026-01-31T00:00:00Z', '2026-01-31T00:00:00Z'],
  ['.5', 0.5],
  ['1e3', 1000],
  ['~', null],
  ['=', '='],
];

t.test('a plain scalar has the value that kubectl reads', async (t) => {
  for (const [text, meaning] of meanings) {
    const { documents, unread } = readDocuments(`x: ${text}\n`, 'x.yaml');
    t.same(unread, [], text);
    t.strictSame((documents[0]!.raw as { x: unknown }).x, meaning, text);
  }
});

t.test(
  'a DaemonSet with hostNetwork: yes is on the host network, and its octal port has the value that kubectl sends',
  async (t) => {
    const { entries, problems } = parseManifest(
      [
        'apiVersion: apps/v1',
        'kind: DaemonSet',
        'metadata: { name: exporter, namespace: shop }',
        'spec:',
        '  template:',
        '    metadata: { labels: { app: exporter } }',
        '    spec: { hostNetwork: yes, containers: [{ name: c, ports: [{ containerPort: 0100 }] }] }',
      ].join('\n'),
      'x.yaml',
    );
    t.same(problems, []);
    t.match(entries, [{ object: { hostNetwork: true, ports: [{ port: 64 }] } }]);
  },
);

t.test('a label that kubectl reads as true is not a string, and the problem says how to write it', async (t) => {
  const { problems } = parseManifest(
    'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  labels: { open: yes }\n',
    'x.yaml',
  );
  t.same(problems.map(problemLine), [
    'wrong-type: Namespace a (x.yaml:5, metadata.labels.open): true is not a string; put the value in quotes (unquoted yes, no, on and off are booleans)',
  ]);
});
