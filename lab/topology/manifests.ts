// The manifests of a topology as plain documents, and the working copy that Waybill reads and the traffic script
// changes. The lab has its own reader: a bug in Waybill's reader then shows as a difference.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { ProblemError } from '../../model/problem.ts';
import { manifestInvalid } from '../system/errors.ts';

export type Manifest = {
  file: string;
  kind: string;
  namespace: string;
  name: string;
  object: Record<string, unknown>;
};

const manifestFile = /\.(ya?ml|json)$/;

/** All objects of a file, or of a folder and its subfolders. Throws a ProblemError for an invalid manifest. */
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

/** One file per object, renamed into place: Waybill watches the folder and never reads half a file. */
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
  if (!isRecord(object)) throw invalid(file, 'has a document that is not an object');
  if (typeof object.kind !== 'string') throw invalid(file, 'has an object without kind');
  if (object.kind.endsWith('List') && Array.isArray(object.items)) {
    const kind = object.kind.slice(0, -'List'.length);
    return object.items.flatMap((item: unknown) =>
      manifestsOf(file, isRecord(item) && kind !== '' ? { kind, apiVersion: object.apiVersion, ...item } : item),
    );
  }
  const metadata = isRecord(object.metadata) ? object.metadata : {};
  if (typeof metadata.name !== 'string') throw invalid(file, `has a ${object.kind} without metadata.name`);
  const named = typeof metadata.namespace === 'string' ? metadata.namespace : 'default';
  const namespace = clusterScoped.has(object.kind) ? '' : named;
  return [{ file, kind: object.kind, namespace, name: metadata.name, object }];
}

function invalid(file: string, fault: string): ProblemError {
  return new ProblemError(manifestInvalid(file, fault, 'write it as kubectl get -o yaml prints it'));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
