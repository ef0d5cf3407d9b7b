// What a user can get wrong about settings. Each code is listed in docs/errors.md.
import type { Problem } from '../model/problem.ts';

export const configProblemCodes = ['bad-setting', 'unknown-setting', 'bad-config-file'] as const;

export function badSetting(place: string, fault: string, fix: string): Problem {
  return { code: 'bad-setting', place, fault, fix };
}

export function unknownSetting(place: string, key: string, nearest: string | undefined): Problem {
  return {
    code: 'unknown-setting',
    place,
    fault: `no setting is called ${quote(key)}`,
    fix: nearest === undefined ? 'docs/config.md has the names' : `did you mean ${nearest}`,
  };
}

/** A section that holds one value, `findings: 10s`. */
export function sectionNotMap(place: string, section: string, example: string): Problem {
  return badSetting(place, `${section} is a section and holds settings`, `write ${section}: {${example}: …}`);
}

export function noDeclaredPolicies(): Problem {
  const fault = 'the declared policies are to be judged by, and none are named';
  return badSetting('policy.judgeBy', fault, 'set policy.declared to their folder, or judge by both');
}

/** `findings.grace: 10s` in one word. */
export function settingOutsideSection(place: string, section: string, name: string): Problem {
  return badSetting(place, 'a setting stands in its section', `write ${section}: {${name}: …}`);
}

export function badConfigFile(place: string, fault: string, fix: string): Problem {
  return { code: 'bad-config-file', place, fault, fix };
}

/** On one line, and short. */
function quote(key: string): string {
  const quoted = /^[\w.-]+$/.test(key) ? key : JSON.stringify(key);
  return quoted.length > 60 ? `${quoted.slice(0, 57)}…` : quoted;
}
