// Reports the differences between two scans of a folder, as events in the order of their time.
import type { ClusterEvent } from '../../model/kubernetes.ts';
import { type Problem, problemLine } from '../../model/problem.ts';
import type { ObjectCache } from '../object-cache.ts';
import type { PresentObject, Scan } from './scanner.ts';

export class ChangeReporter {
  readonly #cache: ObjectCache;
  readonly #receive: (event: ClusterEvent) => void;
  #reportedProblems: ReadonlyMap<string, Problem> = new Map();
  #lastScanUs: number;
  /** The first scan after a former run: a change of an older file happened at an unknown time. */
  #isFirstAgain: boolean;

  /** `formerScanUs`: the last scan of a former run, whose objects the cache has. */
  constructor(cache: ObjectCache, receive: (event: ClusterEvent) => void, formerScanUs?: number) {
    this.#cache = cache;
    this.#receive = receive;
    this.#lastScanUs = formerScanUs ?? 0;
    this.#isFirstAgain = formerScanUs !== undefined;
  }

  get lastScanUs(): number {
    return this.#lastScanUs;
  }

  /** The time of a change is when its file was written, limited to the time between the two scans. */
  report(scan: Scan, nowUs: number): void {
    this.#reportProblems(scan.problems, nowUs);
    const missedUs = this.#isFirstAgain ? this.#lastScanUs : undefined;
    const isKnown = ({ writtenUs }: PresentObject) => writtenUs >= this.#lastScanUs && writtenUs <= nowUs;
    const changedUs = (present: PresentObject) => {
      if (missedUs !== undefined && !isKnown(present)) return nowUs;
      return Math.min(nowUs, Math.max(this.#lastScanUs, present.writtenUs));
    };
    const inOrder = [...scan.present.values()].sort((one, other) => changedUs(one) - changedUs(other));
    for (const present of inOrder) {
      const { object } = present;
      if (missedUs === undefined || isKnown(present)) this.#cache.put(object, changedUs(present));
      else if (this.#cache.differsFrom(object)) this.#cache.put(object, nowUs, missedUs);
    }
    this.#cache.keepOnly(scan.present, nowUs, missedUs);
    this.#lastScanUs = nowUs;
    this.#isFirstAgain = false;
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
