import t from 'tap';
import { formatItems, type ItemFormatter } from '../../cli/output/format.ts';
import { findingFormatter } from '../../cli/output/item-formatters.ts';
import { tableText } from '../../cli/output/table.ts';
import { findingJson } from '../../model/json.ts';
import { finding } from '../scene/findings.ts';

const explanation = [
  'shop/web -> shop/db TCP 5432 is denied by policy, and the network delivered it.',
  'network: the responder answered',
  'to do: find out why the CNI does not enforce NetworkPolicy shop/db',
].join('\n');
const wideLines = (text: string, width: number) =>
  formatItems([findingJson(finding({ explanation: text }))], 'wide', findingFormatter, { width, color: false })
    .trimEnd()
    .split('\n')
    .slice(2);

t.test('wide shows each line of an explanation below the row, and wraps each alone', async (t) => {
  t.same(
    wideLines(explanation, Number.POSITIVE_INFINITY),
    explanation.split('\n').map((line) => `    ${line}`),
  );
  t.same(wideLines(explanation, 60), [
    '    shop/web -> shop/db TCP 5432 is denied by policy, and',
    '      the network delivered it.',
    '    network: the responder answered',
    '    to do: find out why the CNI does not enforce',
    '      NetworkPolicy shop/db',
  ]);
});

t.test('an explanation of 0.1.0, one paragraph, is shown unchanged', async (t) => {
  const paragraph = 'shop/web -> shop/db is denied by policy. ingress: no rule matches. The responder answered.';
  t.same(wideLines(paragraph, Number.POSITIVE_INFINITY), [`    ${paragraph}`]);
  const [line] = formatItems([findingJson(finding({ explanation: paragraph }))], 'compact', findingFormatter, {
    width: 80,
    color: false,
  }).split('\n');
  t.match(line, new RegExp(`: ${paragraph}$`));
});

t.test('YAML quotes words that YAML 1.1 reads as booleans', async (t) => {
  const connection = {
    id: 'c1',
    placement: 'cross-node',
    verdict: 'denied',
    outcome: 'unanswered',
    delivered: { delivered: 'no' as const },
  } as const;
  const text = formatItems([findingJson(finding({ connection }))], 'yaml', findingFormatter, {
    width: 80,
    color: false,
  });
  t.match(text, /^ {2}delivered: "no"$/m);
});

t.test('compact shows the claim only', async (t) => {
  const text = formatItems([findingJson(finding({ explanation }))], 'compact', findingFormatter, {
    width: 80,
    color: false,
  });
  t.match(text, /: shop\/web -> shop\/db TCP 5432 is denied by policy, and the network delivered it\.\n$/);
  t.equal(text.split('\n').length, 2);
});

t.test('a line break or an escape sequence in a cell or in a line below the row is escaped', async (t) => {
  const row = { cells: { name: 'a\nb' }, detail: ['one\ntwo', 'three\x1b[31m\r', '\u2028'], style: 'plain' } as const;
  t.equal(
    tableText([row], { width: 80, color: false }),
    'NAME\na\\x0ab\n    one\\x0atwo\n    three\\x1b[31m\\x0d\n    \\u{2028}\n',
  );
  const formatter: ItemFormatter<string> = {
    emptyText: '',
    columns: (name) => ({ name }),
    detail: (name) => [name],
    compact: (name) => name,
    style: () => 'plain',
  };
  t.equal(formatItems(['a\nb'], 'wide', formatter, { width: 80, color: false }), 'NAME\na\\x0ab\n    a\\x0ab\n');
});
