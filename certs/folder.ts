// Writes certificates and keys. A failure is a ProblemError with the path.
import { access, chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ProblemError } from '../model/problem.ts';
import { cannotWrite } from './errors.ts';

/** Creates the parent folders too, one by one, because Node's recursive mkdir never ends in /proc. */
export async function makeFolder(folder: string): Promise<void> {
  const failure = await makeSingleFolder(folder);
  if (failure === undefined) return;
  const parent = dirname(folder);
  if (failure.code !== 'ENOENT' || parent === folder) throw new ProblemError(cannotWrite(folder, failure));
  await makeFolder(parent);
  const secondFailure = await makeSingleFolder(folder);
  if (secondFailure !== undefined) throw new ProblemError(cannotWrite(folder, secondFailure));
}

async function makeSingleFolder(folder: string): Promise<NodeJS.ErrnoException | undefined> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return undefined;
  } catch (error) {
    const isFolder = await stat(folder).then(
      (found) => found.isDirectory(),
      () => false,
    );
    return isFolder ? undefined : (error as NodeJS.ErrnoException);
  }
}

/** Only the owner can read a key, also if it overwrites a file that others could read. */
export async function writeKey(path: string, pem: string): Promise<void> {
  await throwIfUnwritable(path, async () => {
    await writeFile(path, `${pem}\n`, { mode: 0o600 });
    await chmod(path, 0o600);
  });
}

export async function writeCertificates(path: string, pems: readonly string[]): Promise<void> {
  await throwIfUnwritable(path, () => writeFile(path, `${pems.join('\n')}\n`));
}

async function throwIfUnwritable(path: string, write: () => Promise<void>): Promise<void> {
  await write().catch((error: unknown) => {
    throw new ProblemError(cannotWrite(path, error as NodeJS.ErrnoException));
  });
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
