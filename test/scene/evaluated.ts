// Evaluated connections that give a finding of a wanted kind, or none.
import type { Connection } from '../../model/connection.ts';
import type { EvaluatedConnection } from '../../model/evaluated.ts';
import type { Observation } from '../../model/joined.ts';
import { connection } from './connections.ts';

const yes = { delivered: { delivered: 'yes', by: 'seen' } } as const;
const no = { delivered: { delivered: 'no' }, outcome: 'unanswered' } as const;

/** What makes a connection count in a finding of this kind. */
export const findingCauses = {
  bypass: { verdict: 'denied', ...yes },
  /** Of high severity. */
  inferredBypass: { verdict: 'denied', initiatorInferred: true, ...yes },
  blocked: { verdict: 'denied', ...no },
  undeclared: { verdict: 'undeclared', ...yes },
  broken: { verdict: 'allowed', ...no },
  none: { verdict: 'allowed', ...yes },
} as const satisfies Record<string, Partial<Connection>>;

export type FindingCause = keyof typeof findingCauses;

const atSource = { point: 'source', node: 'n1', packets: { forward: 1, reverse: 0 } } as Observation;

/** shop/web to shop/db, unless changed. */
export function evaluated(cause: FindingCause, change: Partial<Connection> = {}): EvaluatedConnection {
  const made = connection({ ...findingCauses[cause], ...change });
  return {
    connection: made,
    verdict: { verdict: made.verdict, sides: [] },
    timing: { timing: 'in-force' },
    observations: [atSource],
    masqueradeAddress: undefined,
  };
}
