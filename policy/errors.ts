// What a user can get wrong about the options of a verdict. Each code is listed in docs/errors.md.
import type { Problem } from '../model/problem.ts';

export const policyProblemCodes = ['unknown-option', 'bad-option-value'] as const;

export function unknownOption(name: string, allowed: readonly string[]): Problem {
  return {
    code: 'unknown-option',
    place: `--option ${quote(name)}`,
    fault: 'there is no such option',
    fix: `use one of ${allowed.join(', ')}`,
  };
}

export function badOptionValue(name: string, value: string, allowed: readonly string[]): Problem {
  return {
    code: 'bad-option-value',
    place: `--option ${name}`,
    fault: value === '' ? 'it has no value' : `${quote(value)} is none of its values`,
    fix: `write ${allowed.map((one) => `${name}=${one}`).join(' or ')}`,
  };
}

/** On one line, and short. */
function quote(text: string): string {
  const quoted = /^[\w.=-]+$/.test(text) ? text : JSON.stringify(text);
  return quoted.length > 60 ? `${quoted.slice(0, 57)}...` : quoted;
}
