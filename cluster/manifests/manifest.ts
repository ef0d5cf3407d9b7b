// One manifest file: its objects, each with its place, and its problems.
import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import type { FieldPath } from '../../model/field-path.ts';
import type { ClusterObject } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import { kindText } from '../parse/kind.ts';
import { expandList } from '../parse/list.ts';
import { parseObject } from '../parse/parse.ts';
import type { FileRole } from './charts.ts';
import { type Counts, count } from './counts.ts';
import { type Document, readDocuments } from './documents.ts';
import { cannotRead, fileTooLarge } from './errors.ts';
import type { ManifestFile } from './files.ts';
import { isKustomization, type Kustomization, readKustomization } from './kustomization.ts';
import { Source } from './source.ts';

/** `source` is set with `keep` 'sources'. */
export type Entry = { object: ClusterObject; place: string; source?: Source };

/** `sources` keeps the text and lines of each object in memory, as long as the object itself. */
export type Keep = 'objects' | 'sources';
export type Manifest = {
  entries: readonly Entry[];
  problems: readonly Problem[];
  /** The `problems` that kept a document, an object or the file from being read. */
  unread: readonly Problem[];
  /** Documents and list items that Waybill does not use. */
  ignored: number;
  /** Ignored Kubernetes objects by kind, such as `Ingress.networking.k8s.io`. */
  otherKinds: Counts;
  /** Whether all of it is valid YAML or JSON. If not, an editor may be writing the file. */
  whole: boolean;
  /** A Helm template, which has no objects until Helm renders it. */
  template?: true;
  kustomization?: Kustomization;
};

/** Read through process.stdin, since stdin may be a socket, which cannot be opened by path. */
export const stdinPath = '/dev/stdin';

/** Parsing JSON needs a fifth of the memory of YAML. */
const maxBytes = { json: 256 * 2 ** 20, yaml: 64 * 2 ** 20 };

export async function readManifestFile(file: ManifestFile, keep: Keep, role: FileRole): Promise<Manifest> {
  if (role === 'chart-metadata') return chartMetadata;
  const { json, yaml } = maxBytes;
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

const chartMetadata: Manifest = {
  entries: [],
  problems: [],
  unread: [],
  ignored: 1,
  otherKinds: new Map(),
  whole: true,
};
const template: Manifest = { ...chartMetadata, template: true };
/** A template action at the start of a line or a value, which is invalid YAML. */
const templateLine = /^\s*(?:- )?(?:[^\s"'#:]+:\s+)?\{\{/m;

/** A template outside of any known chart. Its valid documents are kept. */
function asTemplate(manifest: Manifest): Manifest {
  const others = (problems: readonly Problem[]) => problems.filter(({ code }) => code !== 'bad-yaml');
  const { problems, unread } = manifest;
  return {
    ...manifest,
    problems: others(problems),
    unread: others(unread),
    ignored: manifest.ignored + 1,
    template: true,
  };
}

/** `name` is the name of the file in problems. */
export function parseManifest(text: string, name: string, keep: Keep = 'objects'): Manifest {
  const { documents, problems } = readDocuments(text, name);
  const draft: Draft = {
    entries: [],
    problems: [...problems],
    unread: [...problems],
    ignored: 0,
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
  ignored: number;
  otherKinds: Map<string, number>;
};

function addDocument(document: Document, draft: Draft, keep: Keep): void {
  for (const { raw, path } of expandList(document.raw)) {
    const locate = (inner: FieldPath) => document.locate([...path, ...inner]);
    const parsed = parseObject(raw, locate);
    if (parsed.is === 'not-ours') {
      draft.ignored += 1;
      const kind = kindText(raw);
      if (kind !== undefined) count(draft.otherKinds, kind, 1);
      continue;
    }
    draft.problems.push(...parsed.problems);
    if (parsed.is !== 'object') {
      draft.unread.push(...parsed.problems);
      continue;
    }
    const entry = { object: parsed.object, place: document.quickLocate(path) };
    draft.entries.push(keep === 'sources' ? { ...entry, source: new Source(raw, locate) } : entry);
  }
}

function unread(problem: Problem): Manifest {
  return { entries: [], problems: [problem], unread: [problem], ignored: 0, otherKinds: new Map(), whole: false };
}
