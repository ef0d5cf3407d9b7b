// Reports the differences between two scans of a folder, as events in the order of their time.
import type { ClusterEvent } from '../../model/kubernetes.ts';
import { type Problem, problemLine } from '../../model/problem.ts';
import type { ObjectCache } from '../object-cache.ts';
import type { PresentObject, Scan } from './folder.ts';

export class ChangeReporter {
  readonly #cache: ObjectCache;
  readonly #receive: (event: ClusterEvent) => void;
  #reportedProblems: ReadonlyMap<string, Problem> = new Map();
  #lastScanUs = 0;

  constructor(cache: ObjectCache, receive: (event: ClusterEvent) => void) {
    this.#cache = cache;
    this.#receive = receive;
  }

  /** The time of a change is when its file was written, limited to the time between the two scans. */
  report(scan: Scan, nowUs: number): void {
    this.#reportProblems(scan.problems, nowUs);
    const changedUs = ({ writtenUs }: PresentObject) => Math.min(nowUs, Math.max(this.#lastScanUs, writtenUs));
    const inOrder = [...scan.present.values()].sort((one, other) => changedUs(one) - changedUs(other));
    for (const present of inOrder) this.#cache.put(present.object, changedUs(present));
    this.#cache.keepOnly(scan.present, nowUs);
    this.#lastScanUs = nowUs;
  }

  /** Reports each problem once, and its end after the first scan without it. */
  #reportProblems(problems: readonly Problem[], nowUs: number): void {
    const current = new Map(problems.map((problem) => [problemLine(problem), problem]));
    for (const [line, problem] of this.#reportedProblems)
      if (!current.has(line)) this.#receive({ type: 'fixed', problem, atUs: nowUs });
    for (const [line, problem] of current)
      if (!this.#reportedProblems.has(line)) this.#receive({ type: 'problem', problem, atUs: nowUs });
    this.#reportedProblems = current;
  }
}
