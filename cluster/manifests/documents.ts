// The documents of one manifest file, YAML or JSON, each with the lines that its parts stand on. Bounded: nesting by
// js-yaml (100), aliases here, size by the reader of the file.
import { constructFromEvents, EVENT_ID, parseEvents, YAMLException } from 'js-yaml';
import type { Problem } from '../../model/problem.ts';
import type { Path } from '../parse/field.ts';
import { badYaml } from './errors.ts';
import { firstContent, lineStarts, Positions } from './positions.ts';
import { manifestSchema } from './scalars.ts';

export type Document = {
  raw: unknown;
  /** `db.yaml:14`, the line of the part, or of the nearest part around it that is there. */
  locate: (path: Path) => string;
  /** As `locate`, but never looks at the text again: the file alone where that would be needed (JSON). */
  roughly: (path: Path) => string;
};

export type Documents = { documents: Document[]; problems: Problem[] };

/** A document that cannot be read is a problem; the others are read all the same. */
export function readDocuments(text: string, file: string): Documents {
  const body = text.startsWith('\ufeff') ? text.slice(1) : text;
  const lineAt = lineStarts(body);
  const read: Documents = { documents: [], problems: [] };
  for (const piece of piecesOf(body)) {
    const source: Source = { text: body.slice(piece.start, piece.end), start: piece.start, file, lineAt };
    const document = readPiece(source);
    if (document === undefined) continue;
    if ('code' in document) read.problems.push(document);
    else read.documents.push(document);
  }
  return read;
}

type Piece = { start: number; end: number };
type Source = { text: string; start: number; file: string; lineAt: (offset: number) => number };

const mostAliases = 1000;
/** Values that a document with aliases may have once each alias is written out. */
const mostValues = 1_000_000;

/** Undefined where there is nothing but comments. */
function readPiece(source: Source): Document | Problem | undefined {
  const { text, file } = source;
  if (firstContent(text) < 0) return undefined;
  const json = text.trimStart().startsWith('{') ? parseJson(text) : undefined;
  if (json !== undefined) return jsonDocument(json.raw, source);
  try {
    const events = parseEvents(text, {});
    const [raw, ...more] = constructFromEvents(events, {
      source: text,
      schema: manifestSchema,
      maxAliases: mostAliases,
    });
    const bomb = events.some((event) => event.type === EVENT_ID.ALIAS) && sizeWithin(raw, mostValues) === undefined;
    if (bomb) return badYaml(`${file}:${lineOf(source, 0)}`, `its aliases expand to more than 1,000,000 values`);
    if (more.length > 0) return badYaml(`${file}:${lineOf(source, 0)}`, 'a second document starts without ---');
    const positions = new Positions(events, text);
    const locate = (path: Path) => placeIn(source, positions, path);
    return { raw, locate, roughly: locate };
  } catch (error) {
    const offset = error instanceof YAMLException ? (error.mark?.position ?? 0) : 0;
    const reason = error instanceof YAMLException ? error.reason : String(error);
    return badYaml(`${file}:${lineOf(source, Math.min(offset, text.trimEnd().length))}`, reason);
  }
}

/** How many values there are, each counted wherever an alias repeats it; undefined where more than `most`, or endless. */
function sizeWithin(raw: unknown, most: number): number | undefined {
  const sizes = new Map<object, number>();
  const sizeOf = (value: unknown): number => {
    if (typeof value !== 'object' || value === null) return 1;
    const known = sizes.get(value);
    if (known !== undefined) return known;
    sizes.set(value, Number.POSITIVE_INFINITY); // it holds itself where this is met again further in
    let size = 1;
    for (const child of Object.values(value)) size += sizeOf(child);
    sizes.set(value, size);
    return size;
  };
  const size = sizeOf(raw);
  return size <= most ? size : undefined;
}

function parseJson(text: string): { raw: unknown } | undefined {
  try {
    return { raw: JSON.parse(text) };
  } catch {
    return undefined; // YAML in braces, or broken: the YAML parser names the line
  }
}

/** JSON is YAML too: positions of a JSON document are made only when a problem asks for them. */
function jsonDocument(raw: unknown, source: Source): Document {
  let positions: Positions | 'not-known' | undefined;
  const locate = (path: Path) => {
    positions ??= jsonPositions(source.text) ?? 'not-known';
    return positions === 'not-known' ? source.file : placeIn(source, positions, path);
  };
  return { raw, locate, roughly: () => source.file };
}

function jsonPositions(text: string): Positions | undefined {
  try {
    return new Positions(parseEvents(text, {}), text);
  } catch {
    return undefined; // nested deeper than the YAML parser goes
  }
}

function placeIn(source: Source, positions: Positions, path: Path): string {
  return `${source.file}:${lineOf(source, positions.offsetOf(path))}`;
}

function lineOf(source: Source, offset: number): number {
  return source.lineAt(source.start + offset);
}

function piecesOf(text: string): Piece[] {
  if (!text.trimStart().startsWith('{')) return yamlPieces(text);
  return parseJson(text) === undefined ? jsonPieces(text) : [{ start: 0, end: text.length }];
}

/** YAML 1.2, 9.1.2: a line that begins with --- always begins a document, whatever is around it. */
function yamlPieces(text: string): Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  for (const marker of text.matchAll(/^---(?=\s|$)/gm)) {
    // Directives (%YAML) stand before the marker of the document that they speak of.
    if (marker.index === start || isOnlyDirectives(text.slice(start, marker.index))) continue;
    pieces.push({ start, end: marker.index });
    start = marker.index;
  }
  pieces.push({ start, end: text.length });
  return pieces;
}

function isOnlyDirectives(text: string): boolean {
  return text.startsWith('%') && firstContent(text) < 0;
}

/** JSON documents one after the other, as `kubectl` and `jq` write them. Scans for the braces outside of strings. */
function jsonPieces(text: string): Piece[] {
  const pieces: Piece[] = [];
  let depth = 0;
  let start = 0;
  for (const token of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}]/gs)) {
    if (token[0] === '{') depth += 1;
    else if (token[0] === '}') depth -= 1;
    if (depth !== 0 || token[0] !== '}') continue;
    pieces.push({ start, end: token.index + 1 });
    start = token.index + 1;
  }
  // What stands behind the last one belongs to it: blanks, or what makes it broken.
  const last = pieces.at(-1);
  if (last === undefined) return [{ start: 0, end: text.length }];
  last.end = text.length;
  return pieces;
}
