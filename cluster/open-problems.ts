// The problems of the cluster's objects that are not fixed yet, each with its first and last time.
import type { ClusterEvent } from '../model/kubernetes.ts';
import type { Problem } from '../model/problem.ts';

export type OpenProblem = { problem: Problem; firstUs: number; lastUs: number; count: number };

/** Kept in memory; the least recent is dropped first. */
const maxProblems = 1_000;

export class OpenProblems {
  readonly #problems = new Map<string, OpenProblem>();

  receive(event: ClusterEvent): void {
    if (event.type === 'problem') this.#report(event.problem, event.atUs);
    if (event.type === 'fixed') this.#problems.delete(keyOf(event.problem));
  }

  /** The least recent first. */
  get all(): readonly OpenProblem[] {
    return [...this.#problems.values()];
  }

  of(problem: Problem): OpenProblem | undefined {
    return this.#problems.get(keyOf(problem));
  }

  #report(problem: Problem, atUs: number): void {
    const key = keyOf(problem);
    const known = this.#problems.get(key);
    this.#problems.delete(key);
    this.#problems.set(key, { problem, firstUs: known?.firstUs ?? atUs, lastUs: atUs, count: (known?.count ?? 0) + 1 });
    if (this.#problems.size > maxProblems) this.#problems.delete(this.#problems.keys().next().value!);
  }
}

/** The fault may have another text each time, such as the reason why the API server does not answer. */
function keyOf({ code, place }: Problem): string {
  return `${code}: ${place}`;
}
