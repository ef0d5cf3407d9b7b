// Problems with settings. Each code is listed in docs/errors.md.
import type { Problem } from '../model/problem.ts';

export const configProblemCodes = ['bad-setting', 'unknown-setting', 'bad-config-file'] as const;

export function badSetting(place: string, fault: string, fix: string): Problem {
  return { code: 'bad-setting', place, fault, fix };
}

export function unknownSetting(place: string, key: string, nearest: string | undefined): Problem {
  return {
    code: 'unknown-setting',
    place,
    fault: `unknown setting ${quote(key)}`,
    fix:
      nearest === undefined
        ? 'use a setting of docs/config.md'
        : `write ${nearest}, or another setting of docs/config.md`,
  };
}

/** For `findings: 10s`. */
export function sectionNotMap(place: string, section: string, example: string): Problem {
  return badSetting(place, `${section} is a section, not a setting`, `write ${section}: {${example}: …}`);
}

export function noDeclaredPolicies(): Problem {
  const fault = '"declared" needs policy.declared, which is empty';
  return badSetting(
    'policy.judgeBy',
    fault,
    'set policy.declared to the folder of the policies, or set policy.judgeBy to both',
  );
}

/** For `findings.grace: 10s` in the YAML file. */
export function settingOutsideSection(place: string, section: string, name: string): Problem {
  return badSetting(place, 'a setting must be inside its section', `write ${section}: {${name}: …}`);
}

export function badConfigFile(place: string, fault: string, fix: string): Problem {
  return { code: 'bad-config-file', place, fault, fix };
}

/** On one line, and short. */
function quote(key: string): string {
  const quoted = JSON.stringify(key);
  return quoted.length > 60 ? `${quoted.slice(0, 57)}…` : quoted;
}
