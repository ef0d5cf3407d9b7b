// What a user can get wrong in a request. Each code is listed in docs/errors.md.
import type { Problem } from '../../model/problem.ts';

export const apiProblemCodes = ['bad-parameter', 'unknown-parameter', 'follower-too-slow'] as const;

export function badParameter(name: string, value: string, mend: string): Problem {
  return { code: 'bad-parameter', place: `parameter ${name}`, fault: `"${value}" cannot be used`, mend };
}

export function unknownParameter(name: string, known: readonly string[]): Problem {
  return {
    code: 'unknown-parameter',
    place: `parameter ${name}`,
    fault: 'there is no such parameter here',
    mend: `use ${known.join(', ')}`,
  };
}

export function followerTooSlow(): Problem {
  return {
    code: 'follower-too-slow',
    place: 'follow',
    fault: 'more was written than was read, so the stream ends here',
    mend: 'ask again, with a filter or a faster reader',
  };
}
