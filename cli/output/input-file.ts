// Reads the output of -o json (an array) or -o jsonl (one value a line).
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { ProblemError } from '../../model/problem.ts';
import { badInput, unreadableInput } from '../errors.ts';
import { textLines } from './text-lines.ts';

/** `file` is a path, or `-` for stdin. Rejects with a ProblemError that names file and line. */
export async function* readValues(
  file: string,
  stdin: Readable,
): AsyncGenerator<{ value: unknown; place: string }, void, undefined> {
  const arrayLines: string[] = [];
  let lineNumber = 0;
  for await (const line of linesOf(file, file === '-' ? stdin : createReadStream(file))) {
    lineNumber += 1;
    if (arrayLines.length > 0 || line.trimStart().startsWith('[')) arrayLines.push(line);
    else if (line.trim() !== '') yield { value: parseJson(file, lineNumber, line), place: `${file}:${lineNumber}` };
  }
  if (arrayLines.length === 0) return;
  const values = parseJson(file, lineNumber - arrayLines.length + 1, arrayLines.join('\n')) as unknown[];
  for (const [i, value] of values.entries()) yield { value, place: `${file}, item ${i + 1}` };
}

async function* linesOf(file: string, input: Readable): AsyncGenerator<string, void, undefined> {
  try {
    yield* textLines(input);
  } catch (error) {
    throw new ProblemError(unreadableInput(file, error as NodeJS.ErrnoException));
  }
}

function parseJson(file: string, line: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProblemError(badInput(`${file}:${line}`));
  }
}
