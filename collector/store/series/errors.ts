// What a user can get wrong about the time series. Each code is listed in docs/errors.md.
import type { Problem } from '../../../model/problem.ts';

export const seriesProblemCodes = ['series-password-unreadable'] as const;

export function passwordUnreadable(path: string, error: NodeJS.ErrnoException): Problem {
  return {
    code: 'series-password-unreadable',
    place: `series.passwordFile ${path}`,
    fault: `cannot be read (${error.code ?? error.message})`,
    fix: 'give the path of a file that holds the password and nothing else',
  };
}
