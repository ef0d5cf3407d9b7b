// Certificates and keys as the programs read them, every one that cannot be read named at once.
import { readFileSync } from 'node:fs';
import { type Problem, ProblemError } from '../model/problem.ts';
import { certificateUnreadable } from './errors.ts';

export type Tls = { ca: Buffer; cert: Buffer; key: Buffer };

/** Throws a ProblemError; `paths` by setting, as `tls.ca`. */
export function readTls(paths: { ca: string; cert: string; key: string }): Tls {
  const problems: Problem[] = [];
  const read = (name: 'ca' | 'cert' | 'key'): Buffer => {
    try {
      return readFileSync(paths[name]);
    } catch (error) {
      problems.push(certificateUnreadable(`tls.${name}`, paths[name], error as NodeJS.ErrnoException));
      return Buffer.alloc(0);
    }
  };
  const tls = { ca: read('ca'), cert: read('cert'), key: read('key') };
  if (problems.length > 0) throw new ProblemError(...problems);
  return tls;
}
