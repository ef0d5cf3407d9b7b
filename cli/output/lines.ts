// Formats any number of lines while they are computed. Only one page of the table is in memory.
import { escapeControls } from '../../model/escape.ts';
import type { LineFormatter } from './connectivity.ts';
import { dotChunks, type EndpointGroupPair } from './dot.ts';
import { jsonText } from './json.ts';
import type { Screen } from './screen.ts';
import { tableText } from './table.ts';

export const lineOutputs = ['table', 'json', 'jsonl', 'dot'] as const;
export type LineOutput = (typeof lineOutputs)[number];

/** `emptyText` replaces the formatter's own for a table without lines. */
type LineOutputOptions = {
  output: LineOutput;
  emptyText: string | undefined;
  ambiguous: ReadonlySet<string>;
  screen: Screen;
};

export function formatLines<Json extends EndpointGroupPair>(
  lines: Iterable<Json>,
  formatter: LineFormatter<Json>,
  { output, emptyText = formatter.emptyText, ambiguous, screen }: LineOutputOptions,
): Iterable<string> {
  switch (output) {
    case 'json':
      return jsonArrayChunks(lines);
    case 'jsonl':
      return jsonLines(lines);
    case 'dot':
      return dotChunks(lines, formatter, ambiguous);
    case 'table':
      return tableChunks(lines, { ...formatter, emptyText }, ambiguous, screen);
  }
}

function* jsonArrayChunks(lines: Iterable<unknown>): Generator<string> {
  let prefix = '[';
  for (const line of lines) {
    yield `${prefix}\n${jsonText(line, 2).replace(/^/gm, '  ')}`;
    prefix = ',';
  }
  yield prefix === '[' ? '[]\n' : '\n]\n';
}

function* jsonLines(lines: Iterable<unknown>): Generator<string> {
  for (const line of lines) yield `${jsonText(line)}\n`;
}

const maxPageLines = 5_000;

/** Each page has its own column widths. Only the first page has the header. */
function* tableChunks<Json>(
  lines: Iterable<Json>,
  formatter: LineFormatter<Json>,
  ambiguous: ReadonlySet<string>,
  screen: Screen,
): Generator<string> {
  let page: Json[] = [];
  let pages = 0;
  const text = () => {
    const rows = page.map((one) => ({
      cells: formatter.columns(one, ambiguous),
      detail: [formatter.detail(one)],
      style: formatter.style(one),
    }));
    const table = tableText(rows, screen);
    page = [];
    pages += 1;
    return pages === 1 ? table : table.slice(table.indexOf('\n') + 1);
  };
  for (const line of lines) {
    page.push(line);
    if (page.length === maxPageLines) yield text();
  }
  if (page.length > 0) yield text();
  if (pages === 0) yield `${escapeControls(formatter.emptyText)}\n`;
}
