// Problems with settings. Each code is listed in docs/errors.md.
import { errorText, type Problem } from '../model/problem.ts';

export const configProblemCodes = ['bad-setting', 'unknown-setting', 'bad-config-file', 'cannot-listen'] as const;

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

/** `listen` is the address of the setting; `cause` is the message of the system or of gRPC. */
export function cannotListen(setting: string, listen: string, cause: string): Problem {
  const portInUse = /EADDRINUSE|address already in use/i.test(cause);
  const addressNotLocal = /EADDRNOTAVAIL/i.test(cause);
  return {
    code: 'cannot-listen',
    place: `${setting} ${listen}`,
    fault: portInUse
      ? 'another program uses the port'
      : addressNotLocal
        ? 'this machine does not have the address'
        : errorText(cause),
    fix: portInUse ? 'stop that program, or set another port' : 'set an address of this machine and a free port',
  };
}

/** On one line, and short. */
function quote(key: string): string {
  const quoted = JSON.stringify(key);
  return quoted.length > 60 ? `${quoted.slice(0, 57)}…` : quoted;
}
