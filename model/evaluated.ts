// A connection with its verdict, as the findings get it.
import type { Connection } from './connection.ts';
import type { Observation } from './joined.ts';
import type { Verdict } from './verdict.ts';

/**
 * When the verdict began to apply. `grace`: the change that denies the connection is so recent that the network may not
 * enforce it yet. `grandfathered`: the connection began before the change that denies it, and packets still flow.
 */
export type VerdictTiming =
  | { timing: 'in-force' }
  | { timing: 'grace' }
  | { timing: 'grandfathered'; deniedNow: Verdict };

export type EvaluatedConnection = {
  connection: Connection;
  verdict: Verdict;
  /** The verdict of the declared policies (Git), with `policy.judgeBy: both`. */
  declaredVerdict?: Verdict;
  timing: VerdictTiming;
  observations: readonly Observation[];
  /** The initiator's address as the responder's node saw it, if it was masqueraded. */
  masqueradeAddress: string | undefined;
};
