// The latest runs of each node's agent, also from before a restart of the collector. Between them are the times in which
// nobody watched the node.
import type { AgentRun, NodeGap } from '../../model/agent-run.ts';

/** Runs that are remembered for each node, the latest. */
const maxRuns = 20;

export class AgentRuns {
  readonly #byNode = new Map<string, AgentRun[]>();
  #changed = new Set<AgentRun>();
  #onBeginOrStop = () => {};

  /** Calls `run` when an agent began or stopped: if that is not stored soon, a crash of the collector hides it. */
  onBeginOrStop(run: () => void): void {
    this.#onBeginOrStop = run;
  }

  /** Runs from before a restart of the collector, in any order. */
  restore(runs: readonly AgentRun[]): void {
    for (const run of runs) this.#add({ ...run });
  }

  /** An agent reports since when it watches. Of several reports the earliest counts: a slow network only makes it later. */
  begin(node: string, instance: string, watchingSinceUs: number): void {
    const known = this.#find(node, instance);
    if (known !== undefined) {
      if (watchingSinceUs >= known.watchingSinceUs) return;
      known.watchingSinceUs = watchingSinceUs;
      this.#changed.add(known);
      return;
    }
    const run = { node, instance, watchingSinceUs, coveredUntilUs: watchingSinceUs, stopped: false };
    this.#add(run);
    this.#changed.add(run);
    this.#onBeginOrStop();
  }

  /** Everything that the agent saw before that time is stored. */
  cover(node: string, instance: string, coveredUntilUs: number): void {
    const run = this.#find(node, instance);
    if (run === undefined || run.coveredUntilUs >= coveredUntilUs) return;
    run.coveredUntilUs = coveredUntilUs;
    this.#changed.add(run);
  }

  /** The agent stopped in order. */
  stop(node: string, instance: string): void {
    const run = this.#find(node, instance);
    if (run === undefined || run.stopped) return;
    run.stopped = true;
    this.#changed.add(run);
    this.#onBeginOrStop();
  }

  /** The oldest first. A gap that lasts is not among them: it ends when the next agent watches. */
  gapsOf(node: string): NodeGap[] {
    const gaps: NodeGap[] = [];
    let before: AgentRun | undefined;
    for (const run of this.#byNode.get(node) ?? []) {
      if (before !== undefined && run.watchingSinceUs > before.coveredUntilUs) {
        const why = before.stopped ? 'agent-stopped' : 'agent-killed';
        gaps.push({ fromUs: before.coveredUntilUs, untilUs: run.watchingSinceUs, why });
      }
      if (before === undefined || run.coveredUntilUs > before.coveredUntilUs) before = run;
    }
    return gaps;
  }

  /** Everything that the node's agents saw before that time is stored. Undefined if no agent of the node is known. */
  coveredUntilUs(node: string): number | undefined {
    const runs = this.#byNode.get(node);
    return runs && Math.max(...runs.map((run) => run.coveredUntilUs));
  }

  /** Runs that are new or changed since the last call, to store them. */
  takeChanged(): AgentRun[] {
    const changed = [...this.#changed].filter((run) => this.#byNode.get(run.node)?.includes(run));
    this.#changed = new Set();
    return changed;
  }

  /** They could not be stored: the next call of `takeChanged` returns them again. */
  putBack(runs: readonly AgentRun[]): void {
    for (const run of runs) this.#changed.add(run);
  }

  #find(node: string, instance: string): AgentRun | undefined {
    return this.#byNode.get(node)?.findLast((run) => run.instance === instance);
  }

  /** Keeps the order of the starts. */
  #add(run: AgentRun): void {
    const runs = this.#byNode.get(run.node) ?? [];
    const after = runs.findLastIndex(({ watchingSinceUs }) => watchingSinceUs <= run.watchingSinceUs);
    runs.splice(after + 1, 0, run);
    this.#byNode.set(run.node, runs.slice(-maxRuns));
  }
}
