// A connection with its verdict: what passes from the verdict to the findings.
import type { Connection } from './connection.ts';
import type { Observation } from './joined.ts';
import type { Verdict } from './verdict.ts';

/**
 * How the verdict stands in time. `grace`: what denies it had changed so shortly before that nobody can ask the network
 * to obey yet. `grandfathered`: the connection began before the change that denies it now, and still carries packets.
 */
export type VerdictTiming =
  | { timing: 'in-force' }
  | { timing: 'grace' }
  | { timing: 'grandfathered'; deniedNow: Verdict };

export type EvaluatedConnection = {
  connection: Connection;
  verdict: Verdict;
  /** By the policies that are declared elsewhere, where they are judged by too. */
  declaredVerdict?: Verdict;
  timing: VerdictTiming;
  observations: readonly Observation[];
  /** The responder's node masqueraded the initiator: this is the address that it saw. */
  masqueradeAddress: string | undefined;
};
