// Lists every connection that a set of manifests allows or may allow; a connection that is not listed is denied. Pure: the
// same arguments give the same lines. docs/connectivity.md explains them.
import type { UnknownReason } from '../model/verdict.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { type ConnectionSet, connectionSetOf } from './connection-set.ts';
import type { EndpointGroupJson } from './endpoint-groups.ts';
import { type ClusterState, type Line, linesOf } from './lines.ts';
import type { PortVerdict, Profile } from './profile.ts';

export const passingVerdicts = ['allowed', 'undeclared', 'unknown'] as const;
export type PassingVerdict = (typeof passingVerdicts)[number];

export type PassingConnections = {
  key: string;
  verdict: PassingVerdict;
  why?: UnknownReason;
  connections: ConnectionSet;
};

export type Filter = {
  verdicts: readonly PassingVerdict[];
  includesPair(initiator: EndpointGroupJson, responder: EndpointGroupJson): boolean;
  /** The manifests have all pods of the cluster: lists no ends for other pods. */
  wholeCluster?: boolean;
  onProgress?(done: number, total: number): void;
};

export function connectivity(
  state: ClusterState,
  options: PolicyOptions,
  filter: Filter,
): Generator<Line<PassingConnections>> {
  const entriesByProfile = new Map<Profile, readonly PassingConnections[]>();
  const entriesOf = ([profile]: readonly (Profile | undefined)[]): readonly PassingConnections[] => {
    if (profile === undefined) return [];
    let entries = entriesByProfile.get(profile);
    if (entries === undefined) {
      entries = passingConnectionsOf(profile).filter(({ verdict }) => filter.verdicts.includes(verdict));
      entriesByProfile.set(profile, entries);
    }
    return entries;
  };
  return linesOf([state], options, { ...filter, entriesOf });
}

function passingConnectionsOf(profile: Profile): PassingConnections[] {
  const byOutcome = Map.groupBy(profile, ({ portVerdict }) => portVerdict.key);
  return [...byOutcome.values()].flatMap((segments) => {
    const { portVerdict } = segments[0]!;
    const verdict = passingVerdict(portVerdict);
    if (verdict === undefined) return [];
    const key = `${portVerdict.key} ${segments.map(({ protocol, from, to }) => `${protocol} ${from} ${to}`)}`;
    return [{ key, verdict, ...(portVerdict.why && { why: portVerdict.why }), connections: connectionSetOf(segments) }];
  });
}

function passingVerdict({ verdict }: PortVerdict): PassingVerdict | undefined {
  return verdict === 'denied' ? undefined : verdict;
}
