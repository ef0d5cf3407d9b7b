// The documents of one manifest file, YAML or JSON, each with the lines of its parts. js-yaml limits nesting to 100,
// this file limits aliases, and manifest.ts limits the file size.
import { constructFromEvents, EVENT_ID, parseEvents, YAMLException } from 'js-yaml';
import type { FieldPath } from '../../model/field-path.ts';
import type { Problem } from '../../model/problem.ts';
import { badYaml } from './errors.ts';
import { firstContentOffset, lineLookup, Positions } from './positions.ts';
import { manifestSchema } from './scalars.ts';

export type Document = {
  raw: unknown;
  /** `db.yaml:14`: the line of the part, or of the nearest existing part that contains it. */
  locate: (path: FieldPath) => string;
  /** Like `locate`, but never parses the text again. For a JSON document it returns only the file name. */
  quickLocate: (path: FieldPath) => string;
};

export type Documents = { documents: Document[]; problems: Problem[] };

/** A document that cannot be parsed becomes a problem; the other documents are still read. */
export function readDocuments(text: string, file: string): Documents {
  const body = text.startsWith('\ufeff') ? text.slice(1) : text;
  const lineAt = lineLookup(body);
  const read: Documents = { documents: [], problems: [] };
  for (const piece of piecesOf(body)) {
    const source: PieceSource = { text: body.slice(piece.start, piece.end), start: piece.start, file, lineAt };
    const document = readPiece(source);
    if (document === undefined) continue;
    if ('code' in document) read.problems.push(document);
    else read.documents.push(document);
  }
  return read;
}

type Piece = { start: number; end: number };
type PieceSource = { text: string; start: number; file: string; lineAt: (offset: number) => number };

const maxAliases = 1000;
/** Limit for a document with aliases, with each alias expanded. */
const maxValues = 1_000_000;

/** Undefined if the piece has only comments. */
function readPiece(source: PieceSource): Document | Problem | undefined {
  const { text, file } = source;
  if (firstContentOffset(text) < 0) return undefined;
  const json = text.trimStart().startsWith('{') ? parseJson(text) : undefined;
  if (json !== undefined) return jsonDocument(json.raw, source);
  try {
    const events = parseEvents(text, {});
    const [raw, ...more] = constructFromEvents(events, {
      source: text,
      schema: manifestSchema,
      maxAliases,
    });
    const tooManyValues =
      events.some((event) => event.type === EVENT_ID.ALIAS) && sizeWithin(raw, maxValues) === undefined;
    if (tooManyValues) {
      const limit = maxValues.toLocaleString('en');
      return badYaml(`${file}:${lineOf(source, 0)}`, `its aliases expand to more than ${limit} values`);
    }
    if (more.length > 0) return badYaml(`${file}:${lineOf(source, 0)}`, 'a second document starts without ---');
    const positions = new Positions(events, text);
    const locate = (path: FieldPath) => placeIn(source, positions, path);
    return { raw, locate, quickLocate: locate };
  } catch (error) {
    const offset = error instanceof YAMLException ? (error.mark?.position ?? 0) : 0;
    const reason = error instanceof YAMLException ? error.reason : String(error);
    return badYaml(`${file}:${lineOf(source, Math.min(offset, text.trimEnd().length))}`, reason);
  }
}

/** The number of values with each alias expanded; undefined if more than `max`, or if an alias contains itself. */
function sizeWithin(raw: unknown, max: number): number | undefined {
  const sizes = new Map<object, number>();
  const sizeOf = (value: unknown): number => {
    if (typeof value !== 'object' || value === null) return 1;
    const known = sizes.get(value);
    if (known !== undefined) return known;
    sizes.set(value, Number.POSITIVE_INFINITY); // stays if the value contains itself
    let size = 1;
    for (const child of Object.values(value)) size += sizeOf(child);
    sizes.set(value, size);
    return size;
  };
  const size = sizeOf(raw);
  return size <= max ? size : undefined;
}

function parseJson(text: string): { raw: unknown } | undefined {
  try {
    return { raw: JSON.parse(text) };
  } catch {
    return undefined; // YAML in braces, or invalid: the YAML parser reports the line
  }
}

/** JSON is valid YAML. Its positions are computed only if a problem needs them. */
function jsonDocument(raw: unknown, source: PieceSource): Document {
  let positions: Positions | 'unknown' | undefined;
  const locate = (path: FieldPath) => {
    positions ??= jsonPositions(source.text) ?? 'unknown';
    return positions === 'unknown' ? source.file : placeIn(source, positions, path);
  };
  return { raw, locate, quickLocate: () => source.file };
}

function jsonPositions(text: string): Positions | undefined {
  try {
    return new Positions(parseEvents(text, {}), text);
  } catch {
    return undefined; // nested deeper than the YAML parser allows
  }
}

function placeIn(source: PieceSource, positions: Positions, path: FieldPath): string {
  return `${source.file}:${lineOf(source, positions.offsetOf(path))}`;
}

function lineOf(source: PieceSource, offset: number): number {
  return source.lineAt(source.start + offset);
}

function piecesOf(text: string): Piece[] {
  if (!text.trimStart().startsWith('{')) return yamlPieces(text);
  return parseJson(text) === undefined ? jsonPieces(text) : [{ start: 0, end: text.length }];
}

/** YAML 1.2, 9.1.2: a line that starts with --- always starts a document. */
function yamlPieces(text: string): Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  for (const marker of text.matchAll(/^---(?=\s|$)/gm)) {
    // Directives (%YAML) come before the marker of their document.
    if (marker.index === start || isOnlyDirectives(text.slice(start, marker.index))) continue;
    pieces.push({ start, end: marker.index });
    start = marker.index;
  }
  pieces.push({ start, end: text.length });
  return pieces;
}

function isOnlyDirectives(text: string): boolean {
  return text.startsWith('%') && firstContentOffset(text) < 0;
}

/** Splits consecutive JSON documents, as `kubectl` and `jq` write them, at the braces outside of strings. */
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
  // The rest of the text belongs to the last document: spaces, or content that makes it invalid.
  const last = pieces.at(-1);
  if (last === undefined) return [{ start: 0, end: text.length }];
  last.end = text.length;
  return pieces;
}
