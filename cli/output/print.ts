// The only place of the command line that writes to stdout and stderr. Control characters that a formatter did not escape
// are escaped here.
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { escapeControls, escapeControlsInText } from '../../model/escape.ts';
import type { Screen } from './screen.ts';

type Output = Pick<Writable, 'write'>;
type ColorOf = Pick<Screen, 'color'>;

const colorless: ColorOf = { color: false };
/** The sequences that table.ts makes. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: a colour begins with ESC
const colorSequence = /(\x1b\[(?:0|31|33|34)m)/;

/** Text of any number of lines. Only with `color` can it contain the colours of table.ts. */
export function print(output: Output, text: string, screen: ColorOf = colorless): void {
  output.write(printable(text, screen));
}

/** One line: a line break in it is escaped too, because it could fake a line. */
export function printLine(output: Output, line: string): void {
  output.write(`${escapeControls(line)}\n`);
}

/**
 * Text that is too long for memory, at the speed of its reader. A sequence of a colour is never split between chunks. A
 * closed output (`| head`) ends the text without an error.
 */
export async function printChunks(
  chunks: Iterable<string>,
  output: Writable,
  screen: ColorOf = colorless,
): Promise<void> {
  try {
    await pipeline(Readable.from(printableChunks(chunks, screen)), output, { end: false });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) throw error;
  }
}

function* printableChunks(chunks: Iterable<string>, screen: ColorOf): Generator<string> {
  for (const chunk of chunks) yield printable(chunk, screen);
}

function printable(text: string, { color }: ColorOf): string {
  if (!color) return escapeControlsInText(text);
  return text
    .split(colorSequence)
    .map((part, i) => (i % 2 === 1 ? part : escapeControlsInText(part)))
    .join('');
}
