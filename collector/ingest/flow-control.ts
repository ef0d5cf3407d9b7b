// How much of each agent's data is read. Whatever an agent sends, the collector reads its next message only when few of its
// messages are unfinished, its rate is below the limit, and it is its turn. What is not read stays with the agent, by the
// flow control of HTTP/2.
import type { FairTurns } from './fair-turns.ts';

export type FlowLimits = {
  /** Records per second of one agent, on average. */
  maxAgentRate: number;
  /** How many seconds of that rate an agent may be ahead, such as after a restart of the collector. */
  burstSeconds: number;
  /** Messages of one agent that are read and not finished. */
  maxUnfinished: number;
  /** The same in bytes; one message may be larger. */
  maxUnfinishedBytes: number;
};

export const flowLimits = { burstSeconds: 10, maxUnfinished: 8, maxUnfinishedBytes: 4 * 2 ** 20 };

/** A message costs as much as this many records, because also one without records takes time. */
const messageCost = 10;
/** A record takes at least about this many bytes. */
const bytesPerRecord = 30;

type AgentFlow = {
  unfinished: number;
  unfinishedBytes: number;
  /** The records that the agent may send at once. Negative: it has to wait. */
  credit: number;
  creditedMs: number;
  /** Messages that wait until others are finished. */
  waiting: (() => void)[];
};

export class FlowControl {
  readonly #limits: FlowLimits;
  readonly #turns: FairTurns;
  readonly #nowMs: () => number;
  readonly #agents = new Map<string, AgentFlow>();

  /** `nowMs` is a clock that never steps. */
  constructor(limits: FlowLimits, turns: FairTurns, nowMs: () => number) {
    this.#limits = limits;
    this.#turns = turns;
    this.#nowMs = nowMs;
  }

  /** Resolves when the message may be processed, in the agent's turn. Call `finished` once for it, with the same size. */
  async admit(agent: string, bytes: number): Promise<void> {
    const flow = this.#flowOf(agent);
    while (!this.#hasCapacity(flow, bytes)) await new Promise<void>((wake) => flow.waiting.push(wake));
    flow.unfinished += 1;
    flow.unfinishedBytes += bytes;
    const cost = messageCost + bytes / bytesPerRecord;
    await this.#earn(flow, cost);
    await this.#turns.take(agent, cost);
  }

  finished(agent: string, bytes: number): void {
    const flow = this.#flowOf(agent);
    flow.unfinished -= 1;
    flow.unfinishedBytes -= bytes;
    for (const wake of flow.waiting.splice(0)) wake();
  }

  /** Call when the last stream of the agent is closed. A negative credit is kept until the agent has waited for it. */
  forget(agent: string): void {
    const flow = this.#agents.get(agent);
    if (flow === undefined || flow.unfinished > 0) return;
    this.#refill(flow);
    if (flow.credit >= 0) this.#agents.delete(agent);
  }

  #flowOf(agent: string): AgentFlow {
    const known = this.#agents.get(agent);
    if (known !== undefined) return known;
    const flow = { unfinished: 0, unfinishedBytes: 0, credit: this.#burst, creditedMs: this.#nowMs(), waiting: [] };
    this.#agents.set(agent, flow);
    return flow;
  }

  #hasCapacity({ unfinished, unfinishedBytes }: AgentFlow, bytes: number): boolean {
    if (unfinished === 0) return true;
    const { maxUnfinished, maxUnfinishedBytes } = this.#limits;
    return unfinished < maxUnfinished && unfinishedBytes + bytes <= maxUnfinishedBytes;
  }

  async #earn(flow: AgentFlow, cost: number): Promise<void> {
    this.#refill(flow);
    flow.credit -= cost;
    if (flow.credit >= 0) return;
    const waitMs = (-flow.credit / this.#limits.maxAgentRate) * 1000;
    await new Promise<void>((resolve) => setTimeout(resolve, waitMs).unref());
  }

  #refill(flow: AgentFlow): void {
    const now = this.#nowMs();
    const earned = ((now - flow.creditedMs) / 1000) * this.#limits.maxAgentRate;
    flow.credit = Math.min(this.#burst, flow.credit + earned);
    flow.creditedMs = now;
  }

  get #burst(): number {
    return this.#limits.maxAgentRate * this.#limits.burstSeconds;
  }
}
