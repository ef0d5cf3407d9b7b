// Errors in `--option`. docs/errors.md lists each code.
import type { Problem } from '../model/problem.ts';

export const policyProblemCodes = ['unknown-option', 'bad-option-value'] as const;

export function unknownOption(name: string, allowed: readonly string[]): Problem {
  return {
    code: 'unknown-option',
    place: `--option ${quote(name)}`,
    fault: 'unknown option',
    fix: `use one of ${allowed.join(', ')}`,
  };
}

export function badOptionValue(name: string, value: string, allowed: readonly string[]): Problem {
  return {
    code: 'bad-option-value',
    place: `--option ${name}`,
    fault: value === '' ? 'the value is missing' : `unknown value ${shortened(JSON.stringify(value))}`,
    fix: `write ${allowed.map((one) => `${name}=${one}`).join(' or ')}`,
  };
}

function quote(text: string): string {
  return shortened(/^[\w.=-]+$/.test(text) ? text : JSON.stringify(text));
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
