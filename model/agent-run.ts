// The runs of the agents: from each start of an agent to its end. Between two runs of a node nobody watches its interfaces.

/** Times in µs on the collector's clock. */
export type AgentRun = {
  node: string;
  /** A new value at each start. */
  instance: string;
  /** Since then it watches the interfaces that existed when it started. */
  watchingSinceUs: number;
  /** Everything that it saw before is stored. */
  coveredUntilUs: number;
  /** It stopped, and everything that it saw is stored. Without that, it runs or ended without a shutdown. */
  stopped: boolean;
};

/**
 * A time in which no agent watched the node, or what it saw is lost. `agent-killed`: the agent ended without a shutdown, and
 * `fromUs` is the time until which its records are stored.
 */
export type NodeGap = { fromUs: number; untilUs: number; why: 'agent-killed' | 'agent-stopped' };
