// Answers a stream of questions: one JSON object a line in, one a line out, in the same order. One chunk is in memory.
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { escapeJson } from '../model/escape.ts';
import type { ClusterObject } from '../model/kubernetes.ts';
import { problemLine } from '../model/problem.ts';
import { verdictJson } from '../policy/explain.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { badQuery, problemAt, type QuestionFault } from './verdict-errors.ts';
import { PartyResolver } from './verdict-parties.ts';
import { evaluateQuestion, readQuestion } from './verdict-question.ts';

/** A longer line is an error. Real questions have less than a tenth of it. */
export const maxLineLength = 65_536;

/** Answers until the input ends or the output is closed. Returns the number of invalid lines. */
export async function evaluateBatch(
  input: Readable,
  output: Writable,
  objects: readonly ClusterObject[],
  options: PolicyOptions,
): Promise<number> {
  const parties = new PartyResolver(objects);
  let failedLines = 0;
  const evaluateChunks = async function* (chunks: AsyncIterable<Buffer | string>): AsyncGenerator<string> {
    let line = 0;
    for await (const lines of linesOf(chunks)) {
      let text = '';
      for (const question of lines) {
        line += 1;
        if (question.trim() === '') continue;
        const result = evaluateLine(question, line, parties, options);
        if (result.failed) failedLines += 1;
        text += `${result.text}\n`;
      }
      yield text;
    }
  };
  try {
    await pipeline(input, evaluateChunks, output, { end: false });
  } catch (error) {
    // `waybill verdict --batch | head` closes the output, which is not an error.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) throw error;
  }
  return failedLines;
}

function evaluateLine(
  question: string,
  line: number,
  parties: PartyResolver,
  options: PolicyOptions,
): { text: string; failed: boolean } {
  const raw = parseJson(question);
  const id = idOf(raw, question);
  const idField = id === undefined ? '' : `"id":${id},`;
  const read = raw instanceof SyntaxError ? { fault: notJson(question) } : readQuestion(raw);
  const result = 'fault' in read ? read : evaluateQuestion(read.question, parties, options);
  if ('verdict' in result) return { text: joinJson(idField, verdictJson(result.verdict)), failed: false };
  return { text: joinJson(idField, { error: problemLine(problemAt(`line ${line}`, result.fault)) }), failed: true };
}

function joinJson(idField: string, body: object): string {
  return escapeJson(`{${idField}${JSON.stringify(body).slice(1)}`);
}

function notJson(question: string): QuestionFault {
  return badQuery(
    question.length > maxLineLength ? `the line has more than ${maxLineLength} characters` : 'it is not valid JSON',
  );
}

function parseJson(question: string): unknown {
  if (question.length > maxLineLength) return new SyntaxError();
  try {
    return JSON.parse(question);
  } catch (error) {
    return error;
  }
}

/** The id as JSON. A number beyond 2^53 is copied from the text, so no digit changes. */
function idOf(raw: unknown, question: string): string | undefined {
  if (typeof raw !== 'object' || raw === null || !('id' in raw)) return undefined;
  const { id } = raw;
  const plain = typeof id === 'string' || typeof id === 'boolean' || id === null || Number.isSafeInteger(id);
  if (plain) return JSON.stringify(id);
  const exact = JSON.parse(question, (_key, value, context?: { source?: string }) =>
    typeof value === 'number' && context?.source !== undefined ? rawJson(context.source) : value,
  );
  return JSON.stringify(exact.id);
}

/** Node has it since 21 (TC39 JSON.parse source text access); TypeScript's types do not. */
const rawJson = (JSON as typeof JSON & { rawJSON(text: string): unknown }).rawJSON;

/** The lines of each chunk. A line beyond the limit is cut to one character more, so it is still detected. */
async function* linesOf(chunks: AsyncIterable<Buffer | string>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const lines = text.split('\n');
    lines[0] = truncateLine(rest + lines[0]);
    rest = truncateLine(lines.pop()!);
    if (lines.length > 0) yield lines;
  }
  rest += decoder.decode();
  if (rest !== '') yield [rest];
}

function truncateLine(line: string): string {
  return line.length > maxLineLength ? line.slice(0, maxLineLength + 1) : line;
}
