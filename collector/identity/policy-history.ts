// The policies over time: one set for each period without a change.
import { type AnyPolicy, isPolicy, objectKey, type Policy } from '../../model/kubernetes.ts';
import { compilePolicies, emptyPolicySet, type PolicySet, withoutPolicy, withPolicy } from '../../policy/policy-set.ts';
import { Timeline } from './timeline.ts';
import { type Span, ViewGaps } from './view-gaps.ts';

const maxSets = 256;
/** Versions of policies with a missed change; the oldest are dropped. */
const maxUncertain = 10_000;

/** One version of a policy that was in force for a part of the span at most. */
export type UncertainPolicy = Span & { policy: AnyPolicy };

export class PolicyHistory {
  readonly #policies = new Map<string, AnyPolicy>();
  readonly #sets = new Timeline<PolicySet>(maxSets);
  readonly #gaps = new ViewGaps();
  #uncertain: UncertainPolicy[] = [];

  put(policy: AnyPolicy, atUs: number): void {
    const key = objectKey(policy);
    if (this.#policies.get(key) === policy) return;
    this.#policies.set(key, policy);
    const { latest } = this.#sets;
    if (latest !== undefined) this.#sets.put(withPolicy(latest, policy), atUs);
  }

  remove(policy: AnyPolicy, atUs: number): void {
    this.#policies.delete(objectKey(policy));
    const { latest } = this.#sets;
    if (latest !== undefined) this.#sets.put(withoutPolicy(latest, policy), atUs);
  }

  /** All policies received until now become the first set, in force since the beginning of time. */
  synced(): void {
    if (this.#sets.latest === undefined) this.#sets.put(compilePolicies([...this.#policies.values()]), 0);
  }

  /** The policy was put or removed at an unknown time in the span. Call it before `put` or `remove`. */
  missChange(policy: AnyPolicy, span: Span): void {
    const former = this.#policies.get(objectKey(policy));
    for (const version of new Set([former ?? policy, policy])) this.#uncertain.push({ ...span, policy: version });
    this.#uncertain = this.#uncertain.slice(-maxUncertain);
    this.#gaps.missedChange(policy, former, span);
  }

  /** The same object as long as no policy changes. */
  at(timeUs: number): PolicySet {
    return this.#sets.at(timeUs) ?? this.#sets.earliest ?? emptyPolicySet;
  }

  get gaps(): ViewGaps {
    return this.#gaps;
  }

  /** The versions of which it is not known whether they were in force at that time. */
  uncertainAt(timeUs: number): readonly UncertainPolicy[] {
    return this.#uncertain.filter(({ sinceUs, untilUs }) => sinceUs < timeUs && timeUs <= untilUs);
  }

  /** Those that are evaluated. */
  get all(): Iterable<Policy> {
    return [...this.#policies.values()].filter(isPolicy);
  }
}
