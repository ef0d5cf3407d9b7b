// The manifest files of a folder, as they are now, in the order of their names.
import type { BigIntStats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Problem } from '../../model/problem.ts';
import { cannotRead } from './errors.ts';
import { isKustomization } from './kustomization.ts';

/** `name` is the path below the folder that was asked for; `stamp` differs when the file was written. */
export type ManifestFile = { path: string; name: string; bytes: number; modifiedUs: number; stamp: string };
/** `id` differs once the folder was replaced by another of its name. */
export type Folder = { path: string; id: string };
/**
 * `folders` are those whose changes matter. `unreadable` are names of files and folders that are there and cannot
 * be read: what they hold is not known, which is not the same as gone.
 */
export type FileList = { files: ManifestFile[]; folders: Folder[]; unreadable: string[]; problems: Problem[] };

/**
 * Links are followed, as a mounted ConfigMap needs it; hidden files and folders are left out. A path that is a file is
 * the one file, whatever its name. Where the path is not there at all there are no files and one problem.
 */
export async function listFiles(path: string): Promise<FileList> {
  const list: FileList = { files: [], folders: [], unreadable: [], problems: [] };
  try {
    const stats = await stat(path, { bigint: true });
    if (stats.isDirectory()) await addFolder(path, '', list, new Set());
    else {
      list.files.push(fileOf(path, basename(path), stats));
      // A file that is replaced is told by its folder.
      list.folders.push(await folderOf(dirname(path)));
    }
  } catch (error) {
    list.problems.push(cannotRead(path, error));
  }
  list.files.sort((one, other) => (one.name < other.name ? -1 : 1));
  return list;
}

async function addFolder(folder: string, name: string, list: FileList, seen: Set<string>): Promise<void> {
  const real = await realpath(folder);
  if (seen.has(real)) return; // a link to a folder around it
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
      if (stats.isDirectory()) await addFolder(path, below, list, seen);
      else if (stats.isFile() && isManifest(entry.name)) list.files.push(fileOf(path, below, stats));
    } catch (error) {
      const missing = isMissing(error);
      if (missing && !entry.isSymbolicLink()) continue; // removed meanwhile
      if (!missing) list.unreadable.push(below);
      list.problems.push(cannotRead(below, error));
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
  return { path, id: `${dev}/${ino}/${birthtimeNs}` }; // numbers are used again
}

function fileOf(path: string, name: string, stats: BigIntStats): ManifestFile {
  const { ino, size, mtimeNs, ctimeNs } = stats;
  const stamp = `${ino}/${size}/${mtimeNs}/${ctimeNs}`;
  return { path, name, bytes: Number(size), modifiedUs: Number(mtimeNs / 1000n), stamp };
}
