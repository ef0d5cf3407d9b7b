// A parsed policy in two forms: for a valid policy, and for a policy with faults, of which some parts are known (rule 17).
import type { Policy } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';

type Without<Whole, Names extends PropertyKey> = Whole extends unknown ? Omit<Whole, Names> : never;
type Unnamed<Whole> = Without<Whole, 'name' | 'namespace' | 'uid' | 'createdUs'>;

/** Use `valid` if there are no faults, and `partial` if there are. */
export type PolicyDraft = {
  valid: Unnamed<Extract<Policy, { broken?: undefined }>>;
  partial: Without<Unnamed<Extract<Policy, { broken: readonly Problem[] }>>, 'broken'>;
};
