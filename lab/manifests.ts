// The manifests beside a topology as plain documents, and the working copy of them that Waybill reads and that the
// traffic script changes. The lab reads them by itself, so that a fault in Waybill's own reading shows as a difference.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { ProblemError } from '../model/problem.ts';
import { manifestInvalid } from './errors.ts';

export type Manifest = {
  file: string;
  kind: string;
  namespace: string;
  name: string;
  object: Record<string, unknown>;
};

const manifestFile = /\.(ya?ml|json)$/;

/** All objects of a file, or of a folder read recursively; throws a ProblemError for one that is no manifest. */
export async function readManifestDocuments(path: string): Promise<Manifest[]> {
  const found: Manifest[] = [];
  for (const file of await filesOf(path)) {
    for (const document of parseAllDocuments(await readFile(file, 'utf8'))) {
      const fault = document.errors[0];
      if (fault !== undefined) throw invalid(file, fault.message.split('\n')[0]!);
      const object: unknown = document.toJS();
      if (object !== null) found.push(...manifestsOf(file, object));
    }
  }
  return found;
}

/** `Pod shop/web`, `Node a`. */
export function manifestName(manifest: Pick<Manifest, 'kind' | 'namespace' | 'name'>): string {
  const { kind, namespace, name } = manifest;
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** One file an object, written whole or not at all, so that who watches the folder never reads half of one. */
export class WorkingCopy {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async put(manifest: Manifest): Promise<void> {
    await mkdir(this.path, { recursive: true });
    const file = this.#fileOf(manifest);
    await writeFile(`${file}.new`, stringify(manifest.object, { aliasDuplicateObjects: false }));
    await rename(`${file}.new`, file);
  }

  async remove(manifest: Pick<Manifest, 'kind' | 'namespace' | 'name'>): Promise<void> {
    await rm(this.#fileOf(manifest));
  }

  #fileOf({ kind, namespace, name }: Pick<Manifest, 'kind' | 'namespace' | 'name'>): string {
    return join(this.path, `${[kind.toLowerCase(), namespace, name].filter((part) => part !== '').join('_')}.yaml`);
  }
}

async function filesOf(path: string): Promise<string[]> {
  if (manifestFile.test(path)) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch((error: Error) => {
    throw invalid(path, error.message);
  });
  return entries
    .filter((entry) => entry.isFile() && manifestFile.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

const clusterScoped = new Set([
  'Namespace',
  'Node',
  'ClusterNetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
]);

function manifestsOf(file: string, object: unknown): Manifest[] {
  if (!isRecord(object)) throw invalid(file, 'holds a document that is no object');
  if (typeof object.kind !== 'string') throw invalid(file, 'holds an object without kind');
  if (object.kind.endsWith('List') && Array.isArray(object.items)) {
    const kind = object.kind.slice(0, -'List'.length);
    return object.items.flatMap((item: unknown) =>
      manifestsOf(file, isRecord(item) && kind !== '' ? { kind, apiVersion: object.apiVersion, ...item } : item),
    );
  }
  const metadata = isRecord(object.metadata) ? object.metadata : {};
  if (typeof metadata.name !== 'string') throw invalid(file, `holds a ${object.kind} without metadata.name`);
  const named = typeof metadata.namespace === 'string' ? metadata.namespace : 'default';
  const namespace = clusterScoped.has(object.kind) ? '' : named;
  return [{ file, kind: object.kind, namespace, name: metadata.name, object }];
}

function invalid(file: string, fault: string): ProblemError {
  return new ProblemError(manifestInvalid(file, fault, 'write it as kubectl get -o yaml would'));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
