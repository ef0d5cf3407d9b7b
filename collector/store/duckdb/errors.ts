// Errors of the store's file. Each code is listed in docs/errors.md.
import { errorText, type Problem } from '../../../model/problem.ts';

export const storeProblemCodes = ['store-locked', 'store-newer', 'store-unusable'] as const;

export function storeProblem(path: string, error: unknown): Problem {
  const cause = errorText(error);
  if (/could not set lock|conflicting lock/i.test(cause)) {
    return {
      code: 'store-locked',
      place: `store.path ${path}`,
      fault: 'another program uses the file',
      fix: 'stop that program, or set another path',
    };
  }
  return {
    code: 'store-unusable',
    place: `store.path ${path}`,
    fault: `the file cannot be opened (${cause})`,
    fix: 'set a writable path, or move the file away to start with a new one',
  };
}

export function storeNewer(path: string, version: number, supported: number): Problem {
  return {
    code: 'store-newer',
    place: `store.path ${path}`,
    fault: `the file has schema version ${version}, and this program supports up to ${supported}`,
    fix: 'run the version of waybill that wrote it, or set another path',
  };
}
