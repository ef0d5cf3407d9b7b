// Options for the cases in which CNIs or users interpret policies differently (docs/policy-semantics.md).
import type { Problem } from '../model/problem.ts';
import { badOptionValue, unknownOption } from './errors.ts';

export type PolicyOptions = {
  /** Whether `ipBlock` peers also match the addresses of pods (rule 9). */
  ipBlockMatchesPods: boolean;
  /** `any`: a rule on one side declares a connection. `every`: each side inside the cluster needs one. */
  declaredBy: 'any' | 'every';
};

export const defaultPolicyOptions: PolicyOptions = { ipBlockMatchesPods: true, declaredBy: 'any' };

/** The values of each option, as in `--option NAME=VALUE`. */
export const policyOptionValues: { [Name in keyof PolicyOptions]: readonly string[] } = {
  ipBlockMatchesPods: ['true', 'false'],
  declaredBy: ['any', 'every'],
};

/** `texts` are NAME=VALUE. A missing option has its default. Each invalid text is one problem. */
export function parsePolicyOptions(texts: readonly string[]): { options: PolicyOptions; problems: Problem[] } {
  const options = { ...defaultPolicyOptions };
  const problems: Problem[] = [];
  for (const text of texts) {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    const value = equals < 0 ? '' : text.slice(equals + 1);
    if (!isOption(name)) problems.push(unknownOption(name, Object.keys(policyOptionValues)));
    else if (!policyOptionValues[name].includes(value))
      problems.push(badOptionValue(name, value, policyOptionValues[name]));
    else if (name === 'declaredBy') options.declaredBy = value as PolicyOptions['declaredBy'];
    else options.ipBlockMatchesPods = value === 'true';
  }
  return { options, problems };
}

function isOption(name: string): name is keyof PolicyOptions {
  return Object.hasOwn(policyOptionValues, name);
}
