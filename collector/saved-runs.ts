// Keeps the runs of the agents and the state of the collector's clock in the store, so that the next run of the collector
// knows the agents, and goes on with the clock of all stored times.
import type { Logger } from 'pino';
import { reasonOf } from '../model/reason.ts';
import type { AgentRuns } from './ingest/agent-runs.ts';
import type { Store, StoredClock } from './store/store.ts';

type RunClock = { nowUs(): number; readonly wallOffsetUs: number };
/** An agent that begins again and again does not keep the store busy. */
const saveSoonMs = 100;

type RunStore = Pick<Store, 'agentRuns' | 'writeAgentRuns' | 'writeClock'>;

/**
 * The wall clock minus the collector's clock at a start. If the wall clock was set back meanwhile, the collector's clock goes
 * on where it was: stored changes of policies never lie in the future.
 */
export function wallOffsetAtStart(stored: StoredClock | undefined, wallUs: number): number {
  return stored === undefined ? 0 : Math.min(stored.wallOffsetUs, Math.round(wallUs - stored.nowUs));
}

export class SavedRuns {
  readonly #runs: AgentRuns;
  readonly #store: RunStore;
  readonly #clock: RunClock;
  readonly #log: Pick<Logger, 'error'>;
  #timer: NodeJS.Timeout | undefined;

  constructor(runs: AgentRuns, store: RunStore, clock: RunClock, log: Pick<Logger, 'error'>) {
    this.#runs = runs;
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  async restore(): Promise<void> {
    this.#runs.restore(await this.#store.agentRuns());
    this.#runs.onBeginOrStop(() => {
      this.#timer ??= setTimeout(() => void this.save(), saveSoonMs).unref();
    });
  }

  /** Call it often. What cannot be written is tried again next time. */
  async save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const clock = { nowUs: this.#clock.nowUs(), wallOffsetUs: this.#clock.wallOffsetUs };
    const runs = this.#runs.takeChanged();
    try {
      await this.#store.writeClock(clock);
      await this.#store.writeAgentRuns(runs);
    } catch (error) {
      this.#runs.putBack(runs);
      this.#log.error({ reason: reasonOf(error) }, 'runs of agents not stored, retrying');
    }
  }
}
