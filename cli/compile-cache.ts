// Caches compiled code, because a short command spends most of its time compiling.
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

/** In node_modules, so only a user that may write our code may write the cache. */
export const compileCacheFolder = join(import.meta.dirname, '..', 'node_modules', '.cache', 'compiled');

/** Covers later imports. Node works without the cache if the folder is not writable, as in an image. */
export function useCompileCache(): void {
  enableCompileCache(compileCacheFolder);
}
