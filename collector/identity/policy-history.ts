// The policies over time: one set for each period without a change.
import { objectKey, type Policy } from '../../model/kubernetes.ts';
import { compilePolicies, emptyPolicySet, type PolicySet, withoutPolicy, withPolicy } from '../../policy/policy-set.ts';
import { Timeline } from './timeline.ts';

const maxSets = 256;

export class PolicyHistory {
  readonly #policies = new Map<string, Policy>();
  readonly #sets = new Timeline<PolicySet>(maxSets);

  put(policy: Policy, atUs: number): void {
    this.#policies.set(objectKey(policy), policy);
    const { latest } = this.#sets;
    if (latest !== undefined) this.#sets.put(withPolicy(latest, policy), atUs);
  }

  remove(policy: Policy, atUs: number): void {
    this.#policies.delete(objectKey(policy));
    const { latest } = this.#sets;
    if (latest !== undefined) this.#sets.put(withoutPolicy(latest, policy), atUs);
  }

  /** All policies received until now become the first set, in force since the beginning of time. */
  synced(): void {
    if (this.#sets.latest === undefined) this.#sets.put(compilePolicies([...this.#policies.values()]), 0);
  }

  /** The same object as long as no policy changes. */
  at(timeUs: number): PolicySet {
    return this.#sets.at(timeUs) ?? this.#sets.earliest ?? emptyPolicySet;
  }

  get all(): Iterable<Policy> {
    return this.#policies.values();
  }
}
