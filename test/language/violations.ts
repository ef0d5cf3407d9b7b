// Finds banned words in a text: whole words in prose, and parts of identifiers. Run with paths, it prints those of the files.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { bannedWords, type Exception, exceptions, unreadFiles } from './words.ts';

export type Violation = { line: number; found: string; instead: string; text: string };

export const root = new URL('../..', import.meta.url).pathname;

/** Tracked and new files whose words count, relative to the repository. */
export function wordedFiles(): string[] {
  return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root })
    .toString()
    .trim()
    .split('\n')
    .filter((file) => !unreadFiles.test(file) && !/\.(pcap|gz|bin|png)$/.test(file));
}

export function violationsOf(file: string, text: string): Violation[] {
  const found = [...wordsIn(text), ...partsIn(text)];
  return found
    .filter((match) => !exceptions.some((exception) => covers(exception, file, text, match)))
    .sort((a, b) => a.at - b.at)
    .map(({ at, length, instead }) => ({
      line: text.slice(0, at).split('\n').length,
      found: text.slice(at, at + length),
      instead,
      text: lineAround(text, at),
    }));
}

type Match = { at: number; length: number; instead: string };

/** A phrase may break over lines. */
const spacedPatterns = bannedWords.map(({ pattern, instead }) => ({
  pattern: new RegExp(pattern.source.replaceAll(' ', '\\s+'), pattern.flags),
  instead,
}));

/** Line ends and comment marks count as spaces. */
function* wordsIn(text: string): Generator<Match> {
  const flat = text.replace(/\n[ \t]*(\/\/|\*|#|>)?/g, (all) => ' '.repeat(all.length));
  for (const { pattern, instead } of spacedPatterns) {
    for (const match of flat.matchAll(pattern)) yield { at: match.index, length: match[0].length, instead };
  }
}

/** A plain word is found by wordsIn already; `told1` and `_told` are not. */
function* partsIn(text: string): Generator<Match> {
  for (const match of text.matchAll(/[A-Za-z_$][\w$]*/g)) {
    const parts = identifierParts(match[0]);
    if (parts.length < 2 && /^[A-Za-z]+$/.test(match[0])) continue;
    for (const { parts: sequences = [], instead } of bannedWords) {
      if (sequences.some((sequence) => hasSequence(parts, sequence))) {
        yield { at: match.index, length: match[0].length, instead };
      }
    }
  }
}

/** `storeRoom` is store, room; `MAX_WAYS` is max, ways; `gateway` is one part. */
export function identifierParts(identifier: string): string[] {
  const parts = identifier.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g) ?? [];
  return parts.map((part) => part.toLowerCase());
}

function hasSequence(parts: readonly string[], sequence: readonly string[]): boolean {
  return parts.some((_, at) => sequence.every((word, i) => parts[at + i] === word));
}

/** The banned words that an exception allows in this file. */
export function allowedBy(exception: Exception, file: string, text: string): string[] {
  return [...wordsIn(text), ...partsIn(text)]
    .filter((match) => covers(exception, file, text, match))
    .map(({ at, length }) => text.slice(at, at + length));
}

/** Whether the exception's text is around the match, on the same line. */
function covers(exception: Exception, file: string, text: string, { at, length }: Match): boolean {
  if (!exception.file.test(file)) return false;
  const from = at - (text.lastIndexOf('\n', at - 1) + 1);
  const all = new RegExp(exception.text.source, 'g');
  return [...lineAround(text, at).matchAll(all)].some(
    (found) => found.index < from + length && found.index + found[0].length > from,
  );
}

function lineAround(text: string, at: number): string {
  const end = text.indexOf('\n', at);
  return text.slice(text.lastIndexOf('\n', at - 1) + 1, end < 0 ? text.length : end);
}

if (import.meta.main) {
  const wanted = process.argv.slice(2);
  for (const file of wordedFiles().filter(
    (file) => wanted.length === 0 || wanted.some((one) => file.startsWith(one)),
  )) {
    for (const { line, found, instead, text } of violationsOf(file, readFileSync(`${root}/${file}`, 'utf8'))) {
      process.stdout.write(`${file}:${line}: "${found}" (${instead}): ${text.trim()}\n`);
    }
  }
}
