// A policy as it was read, before it is known whether all of it is sound: what it says, and what could be read of it
// where it turns out to be broken (rule 17).
import type { Policy } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';

type Without<Whole, Names extends PropertyKey> = Whole extends unknown ? Omit<Whole, Names> : never;
type Unnamed<Whole> = Without<Whole, 'name' | 'namespace' | 'uid' | 'createdUs'>;

/** `sound` is of no use where there are faults, nor `read` where there are none. */
export type PolicyDraft = {
  sound: Unnamed<Extract<Policy, { broken?: undefined }>>;
  read: Without<Unnamed<Extract<Policy, { broken: readonly Problem[] }>>, 'broken'>;
};
