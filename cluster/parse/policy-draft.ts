// A parsed policy in two forms: as a valid policy, and as a policy with faults, which has only its known parts (rule 17).
import type { Policy } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';

type Without<Whole, Names extends PropertyKey> = Whole extends unknown ? Omit<Whole, Names> : never;
type Unnamed<Whole> = Without<Whole, 'name' | 'namespace' | 'uid' | 'createdUs'>;

/** Use `valid` if there are no faults, and `partial` if there are. */
export type PolicyDraft = {
  valid: Unnamed<Extract<Policy, { broken?: undefined }>>;
  partial: Without<Unnamed<Extract<Policy, { broken: readonly Problem[] }>>, 'broken'>;
};
