// One manifest file: its objects, each with its place, and what is wrong with it.
import { readFile } from 'node:fs/promises';
import type { ClusterObject } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import { cannotRead, fileTooLarge } from '../errors.ts';
import { unfold } from '../parse/list.ts';
import { parseObject } from '../parse/parse.ts';
import { type Document, readDocuments } from './documents.ts';
import type { ManifestFile } from './files.ts';

export type Entry = { object: ClusterObject; place: string };
export type Manifest = {
  entries: readonly Entry[];
  problems: readonly Problem[];
  passedOver: number;
  /** Whether all of it could be read as YAML or JSON: an editor may be in the middle of it otherwise. */
  whole: boolean;
};

/** JSON takes a fifth of the memory that YAML takes while it is read. */
const bytesMost = { json: 256 * 2 ** 20, yaml: 64 * 2 ** 20 };

export async function readManifestFile(file: ManifestFile): Promise<Manifest> {
  const most = file.path.endsWith('.json') ? bytesMost.json : bytesMost.yaml;
  if (file.bytes > most) return unread(fileTooLarge(file.name, file.bytes, most));
  try {
    return parseManifest(await readFile(file.path, 'utf8'), file.name);
  } catch (error) {
    return unread(cannotRead(file.name, error));
  }
}

/** `name` is what problems call the file. */
export function parseManifest(text: string, name: string): Manifest {
  const { documents, problems } = readDocuments(text, name);
  const draft: Draft = { entries: [], problems: [...problems], passedOver: 0 };
  for (const document of documents) addDocument(document, draft);
  return { ...draft, whole: problems.length === 0 };
}

type Draft = { entries: Entry[]; problems: Problem[]; passedOver: number };

function addDocument(document: Document, draft: Draft): void {
  for (const { raw, path } of unfold(document.raw)) {
    const parsed = parseObject(raw, (inner) => document.locate([...path, ...inner]));
    if (parsed.is === 'not-ours') {
      draft.passedOver += 1;
      continue;
    }
    draft.problems.push(...parsed.problems);
    if (parsed.is === 'object') draft.entries.push({ object: parsed.object, place: document.roughly(path) });
  }
}

function unread(problem: Problem): Manifest {
  return { entries: [], problems: [problem], passedOver: 0, whole: false };
}
