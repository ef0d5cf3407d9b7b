// The password of the time series is in a file, so that no flag, variable or log contains it.
import { readFileSync } from 'node:fs';
import { ProblemError } from '../../../model/problem.ts';
import { passwordUnreadable } from './errors.ts';

/** Trimmed; empty without a file. Throws a ProblemError. */
export function readPassword(file: string): string {
  if (file === '') return '';
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new ProblemError(passwordUnreadable(file, error as NodeJS.ErrnoException));
  }
}
