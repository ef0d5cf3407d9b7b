// Evaluated connections that give a finding of a wanted kind, or none.
import type { Connection } from '../../model/connection.ts';
import type { EvaluatedConnection } from '../../model/evaluated.ts';
import type { Observation } from '../../model/joined.ts';
import type { UnknownReason } from '../../model/verdict.ts';
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
  unevaluated: {
    verdict: 'unknown',
    unknownReason: 'CiliumNetworkPolicy shop/db is not evaluated',
    unknownReasonKey: 'not-evaluated CiliumNetworkPolicy.cilium.io shop/db',
    ...yes,
  },
  /** For another reason. */
  ambiguous: {
    verdict: 'unknown',
    unknownReason: 'ambiguous priority',
    unknownReasonKey: 'ambiguous-priority',
    ...yes,
  },
  none: { verdict: 'allowed', ...yes },
} as const satisfies Record<string, Partial<Connection>>;

export type FindingCause = keyof typeof findingCauses;

const ciliumPolicy = { kind: 'CiliumNetworkPolicy.cilium.io', namespace: 'shop', name: 'db' } as const;
const unknownReasons: Partial<Record<FindingCause, UnknownReason>> = {
  unevaluated: { reason: 'not-evaluated', policies: [ciliumPolicy] },
  ambiguous: { reason: 'ambiguous-priority', policies: [] },
};

const atSource = { point: 'source', node: 'n1', packets: { forward: 1, reverse: 0 } } as Observation;

/** shop/web to shop/db, unless changed. */
export function evaluated(cause: FindingCause, change: Partial<Connection> = {}): EvaluatedConnection {
  const made = connection({ ...findingCauses[cause], ...change });
  return {
    connection: made,
    verdict: { verdict: made.verdict, sides: [], ...(cause in unknownReasons && { why: unknownReasons[cause]! }) },
    timing: { timing: 'in-force' },
    observations: [atSource],
    masqueradeAddress: undefined,
  };
}
