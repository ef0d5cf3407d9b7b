// What was compiled of our code before is not compiled again: most of a short command's time goes there.
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

/** Beside the packages, so that only who may write our code may write what is run of it. */
export const compileCacheFolder = join(import.meta.dirname, '..', 'node_modules', '.cache', 'compiled');

/** For what is imported from now on; without it where the folder cannot be written, as in an image. */
export function useCompileCache(): void {
  enableCompileCache(compileCacheFolder);
}
