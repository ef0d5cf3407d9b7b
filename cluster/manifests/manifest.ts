// One manifest file: its objects, each with its place, and its problems.
import { readFile } from 'node:fs/promises';
import { buffer as bufferOf } from 'node:stream/consumers';
import type { CustomResource } from '../../model/custom-resource.ts';
import type { FieldPath } from '../../model/field-path.ts';
import type { ClusterObject } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import { customResourceOf } from '../parse/custom-resource.ts';
import { kindText } from '../parse/kind.ts';
import { expandList } from '../parse/list.ts';
import { parseObject } from '../parse/parse.ts';
import type { FileRole } from './charts.ts';
import { type Counts, count } from './counts.ts';
import { type Document, readDocuments, type UnreadDocument } from './documents.ts';
import { decodedText } from './encoding.ts';
import { cannotRead, fileTooLarge } from './errors.ts';
import type { ManifestFile } from './files.ts';
import { isKustomization, type Kustomization, readKustomization } from './kustomization.ts';
import { Source } from './source.ts';
import { withTopologyLabels } from './topology-labels.ts';
import { seenInText, unreadObject } from './unread-document.ts';

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
  /** The ignored objects of CustomResourceDefinitions. */
  customResources: readonly CustomResource[];
  /** Whether all of it is valid YAML or JSON. If not, an editor may be writing the file. */
  whole: boolean;
  /** A Helm template, which has no objects until Helm renders it. */
  template?: true;
  kustomization?: Kustomization;
};

/** Read through process.stdin, since stdin may be a socket, which cannot be opened by path. */
export const stdinDevice = '/dev/stdin';

/** Parsing JSON needs a fifth of the memory of YAML. */
const maxBytes = { json: 256 * 2 ** 20, yaml: 64 * 2 ** 20 };

export async function readManifestFile(file: ManifestFile, keep: Keep, role: FileRole): Promise<Manifest> {
  if (role === 'chart-metadata') return chartMetadata;
  const { json, yaml } = maxBytes;
  const tooLarge = file.path.endsWith('.json')
    ? file.bytes > json && fileTooLarge(file.title, file.bytes, json)
    : file.bytes > yaml && fileTooLarge(file.title, file.bytes, yaml, json);
  if (tooLarge) return unreadFile(file.title, tooLarge);
  try {
    const bytes = await (file.path === stdinDevice ? bufferOf(process.stdin) : readFile(file.path));
    const text = decodedText(bytes);
    if (role === 'template' && text.includes('{{')) return template;
    return parseManifest(text, file.title, keep, file.name);
  } catch (error) {
    return unreadFile(file.title, cannotRead(file.title, error));
  }
}

const chartMetadata: Manifest = {
  entries: [],
  problems: [],
  unread: [],
  ignored: 1,
  otherKinds: new Map(),
  customResources: [],
  whole: true,
};
const template: Manifest = { ...chartMetadata, template: true };
/** A template action at the start of a line or a value, which is invalid YAML. */
const templateLine = /^\s*(?:- )?(?:[^\s"'#:]+:\s+)?\{\{/m;

/** An action that uses the objects or templates of Helm, anywhere in a text. Other programs have `{{` in their strings. */
const helmAction = /\{\{-?\s*(?:include\s|[^}\n]*\.(?:Values|Release|Chart|Capabilities|Files|Template)\b)/;

function hasHelmAction(text: string): boolean {
  return helmAction.test(text);
}

/**
 * `title` is the name of the file in problems, and `name` that relative to the scanned folder. A document that cannot be
 * parsed and has an action (`{{`) is a template outside of any known chart, if the file or the document has one that only a
 * template has. An object with faults and such an action is one too.
 */
export function parseManifest(text: string, title: string, keep: Keep = 'objects', name = title): Manifest {
  const { documents, unread, warnings } = readDocuments(text, title);
  const draft: Draft = {
    entries: [],
    problems: [...warnings],
    unread: [],
    ignored: 0,
    otherKinds: new Map(),
    customResources: [],
    unreadAt: new Map(),
  };
  const inTemplate = unread.length > 0 && templateLine.test(text);
  const broken = unread.filter((one) => !(inTemplate ? one.text.includes('{{') : hasHelmAction(one.text)));
  if (broken.length < unread.length) {
    draft.ignored += 1;
    draft.template = true;
  }
  for (const document of broken) addUnread(document, draft);
  for (const document of documents) addDocument(document, draft, keep);
  const [first] = documents;
  const { unreadAt: _, ...manifest } = draft;
  return {
    ...manifest,
    whole: broken.length === 0,
    ...(first !== undefined && isKustomization(name) && { kustomization: readKustomization(first.raw, name) }),
  };
}

type Draft = {
  entries: Entry[];
  problems: Problem[];
  unread: Problem[];
  ignored: number;
  otherKinds: Map<string, number>;
  customResources: CustomResource[];
  /** How many documents that cannot be read start at a place. */
  unreadAt: Map<string, number>;
  template?: true;
};

/** A document of another kind is ignored. One without a kind is not read either, but no verdict may depend on it. */
function addUnread({ text, place, problem }: UnreadDocument, draft: Draft): void {
  draft.problems.push(problem);
  const seen = seenInText(text);
  if (seen.kind === 'other') {
    draft.ignored += 1;
    return;
  }
  draft.unread.push(problem);
  if (seen.kind === 'used') addUnreadObject(place, problem, seen.namespace, draft);
}

/** Several documents may have the same place: those of a file in one line. Each has a name of its own. */
function addUnreadObject(place: string, problem: Problem, namespace: string | undefined, draft: Draft): void {
  const number = (draft.unreadAt.get(place) ?? 0) + 1;
  draft.unreadAt.set(place, number);
  const name = number === 1 ? place : `${place} (${number})`;
  draft.entries.push({ object: unreadObject(name, problem, namespace), place });
}

function addDocument(document: Document, draft: Draft, keep: Keep): void {
  for (const { raw, path } of expandList(document.raw)) {
    const locate = (inner: FieldPath) => document.locate([...path, ...inner]);
    const parsed = parseObject(raw, locate);
    if (parsed.is === 'not-ours') {
      draft.ignored += 1;
      const kind = kindText(raw);
      if (kind !== undefined) count(draft.otherKinds, kind, 1);
      const customResource = customResourceOf(raw);
      if (customResource !== undefined) draft.customResources.push(customResource);
      continue;
    }
    // The value is quoted, so the template is valid YAML.
    if (parsed.problems.length > 0 && hasHelmAction(JSON.stringify(raw))) {
      draft.ignored += 1;
      draft.template = true;
      continue;
    }
    draft.problems.push(...parsed.problems);
    if (parsed.is !== 'object') {
      draft.unread.push(...parsed.problems);
      if (parsed.mayBePolicy !== undefined) {
        addUnreadObject(locate([]), parsed.problems[0]!, parsed.mayBePolicy.namespace, draft);
      }
      continue;
    }
    const entry = { object: withTopologyLabels(parsed.object, raw), place: document.quickLocate(path) };
    draft.entries.push(keep === 'sources' ? { ...entry, source: new Source(raw, locate) } : entry);
  }
}

/** The file may define any object. */
export function unreadFile(name: string, problem: Problem): Manifest {
  const entries = [{ object: unreadObject(name, problem, undefined), place: name }];
  return { ...chartMetadata, ignored: 0, entries, problems: [problem], unread: [problem], whole: false };
}
