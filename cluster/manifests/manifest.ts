// One manifest file: its objects, each with its place, and what is wrong with it.
import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import type { ClusterObject } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import type { Path } from '../parse/field.ts';
import { kindText } from '../parse/kind.ts';
import { unfold } from '../parse/list.ts';
import { parseObject } from '../parse/parse.ts';
import type { Role } from './charts.ts';
import { type Counts, count } from './counts.ts';
import { type Document, readDocuments } from './documents.ts';
import { cannotRead, fileTooLarge } from './errors.ts';
import type { ManifestFile } from './files.ts';
import { isKustomization, type Kustomization, readKustomization } from './kustomization.ts';
import { Source } from './source.ts';

/** `source` where it was asked for. */
export type Entry = { object: ClusterObject; place: string; source?: Source };

/** `sources`: the text of each object stays in memory, with its lines, as long as the object does. */
export type Keep = 'objects' | 'sources';
export type Manifest = {
  entries: readonly Entry[];
  problems: readonly Problem[];
  /** Those of `problems` by which something was left out: a document, an object, or the file. */
  unread: readonly Problem[];
  passedOver: number;
  /** Of what was passed over, the objects of Kubernetes: how many of each kind, as `Ingress.networking.k8s.io`. */
  otherKinds: Counts;
  /** Whether all of it could be read as YAML or JSON: an editor may be in the middle of it otherwise. */
  whole: boolean;
  /** A Helm template, of which there is no object before Helm made it. */
  template?: true;
  kustomization?: Kustomization;
};

/** Opened by its path it could not be a socket, as it is where a program writes into it. */
export const stdinPath = '/dev/stdin';

/** JSON takes a fifth of the memory that YAML takes while it is read. */
const bytesMost = { json: 256 * 2 ** 20, yaml: 64 * 2 ** 20 };

export async function readManifestFile(file: ManifestFile, keep: Keep, role: Role): Promise<Manifest> {
  if (role === 'papers') return papers;
  const { json, yaml } = bytesMost;
  const tooLarge = file.path.endsWith('.json')
    ? file.bytes > json && fileTooLarge(file.name, file.bytes, json)
    : file.bytes > yaml && fileTooLarge(file.name, file.bytes, yaml, json);
  if (tooLarge) return unread(tooLarge);
  try {
    const text = await (file.path === stdinPath ? textOf(process.stdin) : readFile(file.path, 'utf8'));
    if (role === 'template' && text.includes('{{')) return template;
    const manifest = parseManifest(text, file.name, keep);
    return manifest.whole || !templateLine.test(text) ? manifest : asTemplate(manifest);
  } catch (error) {
    return unread(cannotRead(file.name, error));
  }
}

const papers: Manifest = { entries: [], problems: [], unread: [], passedOver: 1, otherKinds: new Map(), whole: true };
const template: Manifest = { ...papers, template: true };
/** An action of a template where YAML has a line or a value begin: no YAML parser takes that. */
const templateLine = /^\s*(?:- )?(?:[^\s"'#:]+:\s+)?\{\{/m;

/** A template outside of any chart that is in sight; what of it could be read is read. */
function asTemplate(manifest: Manifest): Manifest {
  const others = (problems: readonly Problem[]) => problems.filter(({ code }) => code !== 'bad-yaml');
  const { problems, unread } = manifest;
  return {
    ...manifest,
    problems: others(problems),
    unread: others(unread),
    passedOver: manifest.passedOver + 1,
    template: true,
  };
}

/** `name` is what problems call the file. */
export function parseManifest(text: string, name: string, keep: Keep = 'objects'): Manifest {
  const { documents, problems } = readDocuments(text, name);
  const draft: Draft = {
    entries: [],
    problems: [...problems],
    unread: [...problems],
    passedOver: 0,
    otherKinds: new Map(),
  };
  for (const document of documents) addDocument(document, draft, keep);
  const [first] = documents;
  return {
    ...draft,
    whole: problems.length === 0,
    ...(first !== undefined && isKustomization(name) && { kustomization: readKustomization(first.raw, name) }),
  };
}

type Draft = {
  entries: Entry[];
  problems: Problem[];
  unread: Problem[];
  passedOver: number;
  otherKinds: Map<string, number>;
};

function addDocument(document: Document, draft: Draft, keep: Keep): void {
  for (const { raw, path } of unfold(document.raw)) {
    const locate = (inner: Path) => document.locate([...path, ...inner]);
    const parsed = parseObject(raw, locate);
    if (parsed.is === 'not-ours') {
      draft.passedOver += 1;
      const kind = kindText(raw);
      if (kind !== undefined) count(draft.otherKinds, kind, 1);
      continue;
    }
    draft.problems.push(...parsed.problems);
    if (parsed.is !== 'object') {
      draft.unread.push(...parsed.problems);
      continue;
    }
    const entry = { object: parsed.object, place: document.roughly(path) };
    draft.entries.push(keep === 'sources' ? { ...entry, source: new Source(raw, locate) } : entry);
  }
}

function unread(problem: Problem): Manifest {
  return { entries: [], problems: [problem], unread: [problem], passedOver: 0, otherKinds: new Map(), whole: false };
}
