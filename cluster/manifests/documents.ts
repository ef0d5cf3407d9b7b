// The documents of one manifest file, YAML or JSON, each with the lines of its parts. js-yaml limits nesting to 100,
// this file limits aliases, and manifest.ts limits the file size.
import { constructFromEvents, EVENT_ID, type Event, parseEvents, YAMLException } from 'js-yaml';
import type { FieldPath } from '../../model/field-path.ts';
import type { Problem } from '../../model/problem.ts';
import { type DuplicateKey, duplicateJsonKeys, duplicateKeys } from './duplicate-keys.ts';
import { badYaml, duplicateKey } from './errors.ts';
import { firstContentOffset, lineLookup, Positions } from './positions.ts';
import { manifestSchema } from './scalars.ts';
import { parseYaml } from './yaml-events.ts';

export type Document = {
  raw: unknown;
  /** `db.yaml:14`: the line of the part, or of the nearest existing part that contains it. */
  locate: (path: FieldPath) => string;
  /** Like `locate`, but never parses the text again. For a JSON document it returns only the file name. */
  quickLocate: (path: FieldPath) => string;
};

/** A document that cannot be parsed: its text, and its place as `db.yaml:14`, the line where it starts. */
export type UnreadDocument = { text: string; place: string; problem: Problem };

/** `warnings`: the document was read, but differs from what its author may expect. */
export type Documents = { documents: Document[]; unread: UnreadDocument[]; warnings: Problem[] };

/** The other documents of the file are still read if one cannot be parsed. */
export function readDocuments(text: string, file: string): Documents {
  const body = text.startsWith('\ufeff') ? text.slice(1) : text;
  const lineAt = lineLookup(body);
  const read: Documents = { documents: [], unread: [], warnings: [] };
  for (const piece of piecesOf(body)) {
    const source: PieceSource = {
      text: body.slice(piece.start, piece.end),
      file,
      lineAt: (offset) => lineAt(piece.start + offset),
    };
    readPiece(source, read);
  }
  return read;
}

type Piece = { start: number; end: number };
/** `lineAt`: the line of the file at an offset of the text. */
type PieceSource = { text: string; file: string; lineAt: (offset: number) => number };

const maxAliases = 1000;
/** Limit for a document with aliases, with each alias expanded. */
const maxValues = 1_000_000;

/** Adds nothing if the piece has only comments. */
function readPiece(source: PieceSource, read: Documents): void {
  const { text } = source;
  const start = firstContentOffset(text);
  if (start < 0) return;
  const json = isInBraces(text) ? parseJson(text) : undefined;
  if (json !== undefined) {
    read.documents.push(jsonDocument(json.raw, source));
    read.warnings.push(...duplicateKeyWarnings(duplicateJsonKeys(text), source));
    return;
  }
  const unread = (offset: number, reason: string): void => {
    const place = placeAt(source, start);
    read.unread.push({ text, place, problem: badYaml(placeAt(source, offset), reason) });
  };
  try {
    const { events, text: indented } = parseYaml(text);
    const yaml = indented === text ? source : withChangedText(source, indented);
    const { raw, more, duplicates } = construct(events, indented);
    const tooManyValues =
      events.some((event) => event.type === EVENT_ID.ALIAS) && sizeWithin(raw, maxValues) === undefined;
    if (tooManyValues) {
      unread(0, `its aliases expand to more than ${maxValues.toLocaleString('en')} values`);
      return;
    }
    if (more) {
      unread(0, 'a second document starts without ---');
      return;
    }
    const positions = new Positions(events, indented);
    const locate = (path: FieldPath) => placeAt(yaml, positions.offsetOf(path));
    read.documents.push({ raw, locate, quickLocate: locate });
    read.warnings.push(...duplicateKeyWarnings(duplicates, yaml));
  } catch (error) {
    const offset = error instanceof YAMLException ? (error.mark?.position ?? 0) : 0;
    const reason = error instanceof YAMLException ? error.reason : String(error);
    unread(Math.min(offset, text.trimEnd().length), reason);
  }
}

type Constructed = { raw: unknown; more: boolean; duplicates: DuplicateKey[] };

/** Looks for duplicate keys only if there are any: few documents have them. */
function construct(events: Event[], text: string): Constructed {
  const options = { source: text, schema: manifestSchema, maxAliases };
  try {
    const [raw, ...more] = constructFromEvents(events, options);
    return { raw, more: more.length > 0, duplicates: [] };
  } catch (error) {
    if (!(error instanceof YAMLException) || error.reason !== 'duplicated mapping key') throw error;
    const [raw, ...more] = constructFromEvents(events, { ...options, json: true });
    const found = duplicateKeys(events, text);
    const offset = error.mark?.position ?? 0;
    // Keys that are written differently and mean the same, such as `yes` and `true`, are found only by the parser.
    const fallback = { key: /^[^\s:]*/.exec(text.slice(offset))![0], offset };
    return { raw, more: more.length > 0, duplicates: found.length > 0 ? found : [fallback] };
  }
}

const maxDuplicates = 50;

function duplicateKeyWarnings(duplicates: readonly DuplicateKey[], source: PieceSource): Problem[] {
  const more = duplicates.length - maxDuplicates;
  return duplicates.slice(0, maxDuplicates).map(({ key, offset }, index) => {
    return duplicateKey(placeAt(source, offset), key, index === maxDuplicates - 1 ? Math.max(0, more) : 0);
  });
}

/** For a text with the same lines as that of the piece. */
function withChangedText({ file, lineAt }: PieceSource, text: string): PieceSource {
  const firstLine = lineAt(0);
  const lineInText = lineLookup(text);
  return { file, text, lineAt: (offset) => firstLine - 1 + lineInText(offset) };
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
    return positions === 'unknown' ? source.file : placeAt(source, positions.offsetOf(path));
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

function placeAt({ file, lineAt }: PieceSource, offset: number): string {
  return `${file}:${lineAt(offset)}`;
}

/** A file may have documents in braces and others: no line of JSON starts with ---. */
function piecesOf(text: string): Piece[] {
  if (!isInBraces(text)) return yamlPieces(text);
  if (parseJson(text) !== undefined) return [{ start: 0, end: text.length }];
  return yamlPieces(text).flatMap(({ start, end }) => {
    const piece = text.slice(start, end);
    if (!isInBraces(piece)) return { start, end };
    return jsonPieces(piece).map((one) => ({ start: start + one.start, end: start + one.end }));
  });
}

function isInBraces(text: string): boolean {
  return text.trimStart().startsWith('{');
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
