// Errors of the time series. Each code is listed in docs/errors.md.
import type { Problem } from '../../../model/problem.ts';

export const seriesProblemCodes = ['series-password-unreadable'] as const;

export function passwordUnreadable(path: string, error: NodeJS.ErrnoException): Problem {
  return {
    code: 'series-password-unreadable',
    place: `series.passwordFile ${path}`,
    fault: `cannot be read (${error.code ?? error.message})`,
    fix: 'set the path of a file that contains only the password',
  };
}
