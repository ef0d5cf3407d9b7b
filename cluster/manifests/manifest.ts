// One manifest file: its objects, each with its place, and what is wrong with it.
import { readFile } from 'node:fs/promises';
import type { ClusterObject } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import { cannotRead, fileTooLarge } from '../errors.ts';
import type { Path } from '../parse/field.ts';
import { unfold } from '../parse/list.ts';
import { parseObject } from '../parse/parse.ts';
import { type Document, readDocuments } from './documents.ts';
import type { ManifestFile } from './files.ts';
import { Source } from './source.ts';

/** `source` where it was asked for. */
export type Entry = { object: ClusterObject; place: string; source?: Source };

/** `sources`: the text of each object stays in memory, with its lines, as long as the object does. */
export type Keep = 'objects' | 'sources';
export type Manifest = {
  entries: readonly Entry[];
  problems: readonly Problem[];
  passedOver: number;
  /** Whether all of it could be read as YAML or JSON: an editor may be in the middle of it otherwise. */
  whole: boolean;
};

/** JSON takes a fifth of the memory that YAML takes while it is read. */
const bytesMost = { json: 256 * 2 ** 20, yaml: 64 * 2 ** 20 };

export async function readManifestFile(file: ManifestFile, keep: Keep): Promise<Manifest> {
  const most = file.path.endsWith('.json') ? bytesMost.json : bytesMost.yaml;
  if (file.bytes > most) return unread(fileTooLarge(file.name, file.bytes, most));
  try {
    return parseManifest(await readFile(file.path, 'utf8'), file.name, keep);
  } catch (error) {
    return unread(cannotRead(file.name, error));
  }
}

/** `name` is what problems call the file. */
export function parseManifest(text: string, name: string, keep: Keep = 'objects'): Manifest {
  const { documents, problems } = readDocuments(text, name);
  const draft: Draft = { entries: [], problems: [...problems], passedOver: 0 };
  for (const document of documents) addDocument(document, draft, keep);
  return { ...draft, whole: problems.length === 0 };
}

type Draft = { entries: Entry[]; problems: Problem[]; passedOver: number };

function addDocument(document: Document, draft: Draft, keep: Keep): void {
  for (const { raw, path } of unfold(document.raw)) {
    const locate = (inner: Path) => document.locate([...path, ...inner]);
    const parsed = parseObject(raw, locate);
    if (parsed.is === 'not-ours') {
      draft.passedOver += 1;
      continue;
    }
    draft.problems.push(...parsed.problems);
    if (parsed.is !== 'object') continue;
    const entry = { object: parsed.object, place: document.roughly(path) };
    draft.entries.push(keep === 'sources' ? { ...entry, source: new Source(raw, locate) } : entry);
  }
}

function unread(problem: Problem): Manifest {
  return { entries: [], problems: [problem], passedOver: 0, whole: false };
}
