// Parses YAML as kubectl does. kubectl's parser ignores the indentation of lines within a flow collection or a quoted
// scalar, and tabs in it. js-yaml refuses such lines, so they are indented here, and the text is parsed again.
import { type Event, parseEvents, YAMLException } from 'js-yaml';

/** `text` has the same lines as the original. The offsets of the events are in it. */
export type YamlEvents = { events: Event[]; text: string };

/** js-yaml reports this for a line of a flow collection or a quoted scalar, and for nothing else. */
const indentedTooLittle = 'deficient indentation';
/** More than the depth of any readable document. */
const enough = ' '.repeat(1_000);
/** Each changed line parses the text once more. */
const maxParsedAgain = 32 * 2 ** 20;

/** Throws a YAMLException if kubectl cannot read the text either. */
export function parseYaml(text: string): YamlEvents {
  let indented = text;
  for (let parsedAgain = 0; ; ) {
    try {
      return { events: parseEvents(indented, {}), text: indented };
    } catch (error) {
      const next = withMoreIndentation(indented, error);
      parsedAgain += text.length;
      if (next === undefined || next === indented || parsedAgain > maxParsedAgain) throw error;
      indented = next;
    }
  }
}

/** Undefined if the error has another cause. */
function withMoreIndentation(text: string, error: unknown): string | undefined {
  if (!(error instanceof YAMLException) || error.reason !== indentedTooLittle) return undefined;
  const position = error.mark?.position ?? 0;
  const start = Math.max(text.lastIndexOf('\n', position - 1), text.lastIndexOf('\r', position - 1)) + 1;
  const before = text.slice(start, position);
  const isLineStart = before.trim() === '';
  if (isLineStart && before.includes('\t') && endsWithPlainScalar(text.slice(0, start))) return undefined;
  const replaced = isLineStart ? enough : withoutTabs(before);
  return text.slice(0, start) + replaced + text.slice(position);
}

/** kubectl's parser refuses a tab at the start of the line after a scalar without quotes, which may go on there. */
function endsWithPlainScalar(text: string): boolean {
  const lines = text.trimEnd();
  const lastLine = lines.slice(lines.lastIndexOf('\n') + 1);
  const isComment = /(^|\s)#/.test(lastLine);
  const lastWord = /[^\s,[\]{}]+$/.exec(lastLine)?.[0] ?? '';
  return !isComment && /^[^&*!"']/.test(lastWord) && !/["':]$/.test(lastWord);
}

/** A tab within quotes belongs to a value. */
function withoutTabs(line: string): string {
  return line.replace(/"(?:[^"\\]|\\.)*"|'[^']*'|\t/g, (token) => (token === '\t' ? ' ' : token));
}
