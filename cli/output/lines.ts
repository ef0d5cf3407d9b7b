// Lines that come one after the other, however many: each format is written as they come, and nothing is held but a
// page of the table.
import type { LineShape } from './connectivity.ts';
import { dotTexts, type Ends } from './dot.ts';
import { jsonText, safe } from './safe.ts';
import type { Screen } from './screen.ts';
import { tableText } from './table.ts';

export const lineOutputs = ['table', 'json', 'jsonl', 'dot'] as const;
export type LineOutput = (typeof lineOutputs)[number];

/** `none`: what a table says in place of its lines, where that is not what the shape says. */
type To = { output: LineOutput; none: string | undefined; ambiguous: ReadonlySet<string>; screen: Screen };

export function lineTexts<Json extends Ends>(
  lines: Iterable<Json>,
  shape: LineShape<Json>,
  { output, none = shape.none, ambiguous, screen }: To,
): Iterable<string> {
  switch (output) {
    case 'json':
      return jsonTexts(lines);
    case 'jsonl':
      return jsonLines(lines);
    case 'dot':
      return dotTexts(lines, shape, ambiguous);
    case 'table':
      return tableTexts(lines, { ...shape, none }, ambiguous, screen);
  }
}

function* jsonTexts(lines: Iterable<unknown>): Generator<string> {
  let before = '[';
  for (const line of lines) {
    yield `${before}\n${jsonText(line, 2).replace(/^/gm, '  ')}`;
    before = ',';
  }
  yield before === '[' ? '[]\n' : '\n]\n';
}

function* jsonLines(lines: Iterable<unknown>): Generator<string> {
  for (const line of lines) yield `${jsonText(line)}\n`;
}

const pageLines = 5_000;

/** Columns are as wide as a page needs; the heads stand once. */
function* tableTexts<Json>(
  lines: Iterable<Json>,
  shape: LineShape<Json>,
  ambiguous: ReadonlySet<string>,
  screen: Screen,
): Generator<string> {
  let page: Json[] = [];
  let pages = 0;
  const text = () => {
    const rows = page.map((one) => ({
      cells: shape.columns(one, ambiguous),
      below: shape.below(one),
      style: shape.style(one),
    }));
    const whole = tableText(rows, screen);
    page = [];
    pages += 1;
    return pages === 1 ? whole : whole.slice(whole.indexOf('\n') + 1);
  };
  for (const line of lines) {
    page.push(line);
    if (page.length === pageLines) yield text();
  }
  if (page.length > 0) yield text();
  if (pages === 0) yield `${safe(shape.none)}\n`;
}
