// What differs between two scans of a folder, as events in the order of their time.
import type { ClusterEvent } from '../../model/kubernetes.ts';
import { type Problem, problemLine } from '../../model/problem.ts';
import type { KnownObjects } from '../known-objects.ts';
import type { Present, Scan } from './folder.ts';

export class Changes {
  readonly #known: KnownObjects;
  readonly #receive: (event: ClusterEvent) => void;
  #toldProblems = new Set<string>();
  #lastScanUs = 0;

  constructor(known: KnownObjects, receive: (event: ClusterEvent) => void) {
    this.#known = known;
    this.#receive = receive;
  }

  /** A change happened when its file was written, as far as that lies between the two scans. */
  tell(scan: Scan, nowUs: number): void {
    this.#tellProblems(scan.problems, nowUs);
    const changedUs = ({ writtenUs }: Present) => Math.min(nowUs, Math.max(this.#lastScanUs, writtenUs));
    const inOrder = [...scan.present.values()].sort((one, other) => changedUs(one) - changedUs(other));
    for (const present of inOrder) this.#known.put(present.object, changedUs(present));
    this.#known.keepOnly(scan.present, nowUs);
    this.#lastScanUs = nowUs;
  }

  /** Each once, until a scan no longer has it. */
  #tellProblems(problems: readonly Problem[], nowUs: number): void {
    const lines = new Set<string>();
    for (const problem of problems) {
      const line = problemLine(problem);
      if (!this.#toldProblems.has(line) && !lines.has(line)) this.#receive({ type: 'problem', problem, atUs: nowUs });
      lines.add(line);
    }
    this.#toldProblems = lines;
  }
}
