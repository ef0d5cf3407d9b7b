// What a user can get wrong about settings. Each code is listed in docs/errors.md.
import type { Problem } from '../model/problem.ts';

export const configProblemCodes = ['bad-setting', 'unknown-setting', 'bad-config-file'] as const;

export function badSetting(place: string, fault: string, mend: string): Problem {
  return { code: 'bad-setting', place, fault, mend };
}

export function unknownSetting(place: string, key: string, nearest: string | undefined): Problem {
  return {
    code: 'unknown-setting',
    place,
    fault: `no setting is called ${key}`,
    mend: nearest === undefined ? 'docs/config.md has the names' : `did you mean ${nearest}`,
  };
}

export function badConfigFile(place: string, fault: string, mend: string): Problem {
  return { code: 'bad-config-file', place, fault, mend };
}
