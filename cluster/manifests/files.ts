// Lists the manifest files of a folder, sorted by name.
import type { BigIntStats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Problem } from '../../model/problem.ts';
import { cannotRead } from './errors.ts';
import { isKustomization } from './kustomization.ts';

/**
 * `name` is the path relative to the scanned folder, and `title` the name in problems; `stamp` changes with every write to
 * the file.
 */
export type ManifestFile = {
  path: string;
  name: string;
  title: string;
  bytes: number;
  modifiedUs: number;
  stamp: string;
};
/** `id` changes when another folder of the same name replaces this one. */
export type Folder = { path: string; id: string };
/** An existing file or folder that cannot be read: its objects are unknown, not gone. */
export type Unreadable = { name: string; title: string; problem: Problem };
/** `folders` are the folders to watch. `problems` are those of the path itself, and of links to nothing. */
export type FileList = { files: ManifestFile[]; folders: Folder[]; unreadable: Unreadable[]; problems: Problem[] };

/**
 * Follows links, as a mounted ConfigMap needs it, and skips hidden files and folders. If the path is a file, the list is
 * that file, whatever its name. If the path does not exist, the list has no files and one problem. `titleOf` makes the
 * title of a file below the path, of its name.
 */
export async function listFiles(path: string, titleOf: (name: string) => string = (name) => name): Promise<FileList> {
  const list: FileList = { files: [], folders: [], unreadable: [], problems: [] };
  try {
    const stats = await stat(path, { bigint: true });
    if (stats.isDirectory()) await addFolder(path, '', list, new Set(), titleOf);
    else {
      const name = basename(path);
      list.files.push(fileOf(path, name, titleOf(''), stats));
      // Only the folder reports that a file was replaced.
      list.folders.push(await folderOf(dirname(path)));
    }
  } catch (error) {
    list.problems.push(cannotRead(path, error));
  }
  list.files.sort((one, other) => (one.name < other.name ? -1 : 1));
  return list;
}

async function addFolder(
  folder: string,
  name: string,
  list: FileList,
  seen: Set<string>,
  titleOf: (name: string) => string,
): Promise<void> {
  const real = await realpath(folder);
  if (seen.has(real)) return; // a link to a parent folder
  seen.add(real);
  const entries = await readdir(folder, { withFileTypes: true });
  list.folders.push(await folderOf(folder));
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    const below = name === '' ? entry.name : `${name}/${entry.name}`;
    if (!entry.isDirectory() && !entry.isSymbolicLink() && !isManifest(entry.name)) continue;
    try {
      const stats = await stat(path, { bigint: true });
      if (stats.isDirectory()) await addFolder(path, below, list, seen, titleOf);
      else if (stats.isFile() && isManifest(entry.name)) list.files.push(fileOf(path, below, titleOf(below), stats));
    } catch (error) {
      const missing = isMissing(error);
      if (missing && !entry.isSymbolicLink()) continue; // removed since readdir
      const title = titleOf(below);
      const problem = cannotRead(title, error);
      if (missing) list.problems.push(problem);
      else list.unreadable.push({ name: below, title, problem });
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function isManifest(name: string): boolean {
  return /\.(ya?ml|json)$/i.test(name) || isKustomization(name);
}

async function folderOf(path: string): Promise<Folder> {
  const { dev, ino, birthtimeNs } = await stat(path, { bigint: true });
  return { path, id: `${dev}/${ino}/${birthtimeNs}` }; // inode numbers are reused
}

function fileOf(path: string, name: string, title: string, stats: BigIntStats): ManifestFile {
  const { ino, size, mtimeNs, ctimeNs } = stats;
  const stamp = `${ino}/${size}/${mtimeNs}/${ctimeNs}`;
  return { path, name, title, bytes: Number(size), modifiedUs: Number(mtimeNs / 1000n), stamp };
}
