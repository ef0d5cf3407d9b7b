// The password of the time series stands in a file, so that no flag, variable or log ever holds it.
import { readFileSync } from 'node:fs';
import { ProblemError } from '../../../model/problem.ts';
import { passwordUnreadable } from './errors.ts';

/** Without the white space around it; empty where no file is named. Throws a ProblemError. */
export function readPassword(file: string): string {
  if (file === '') return '';
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new ProblemError(passwordUnreadable(file, error as NodeJS.ErrnoException));
  }
}
