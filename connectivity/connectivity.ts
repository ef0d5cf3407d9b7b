// Every connection that passes by one set of manifests, and what nobody can tell; what is not listed is denied.
// Pure: the same arguments give the same lines. docs/connectivity.md has what they mean.
import type { UnknownReason } from '../model/verdict.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { type Connections, connectionsOf } from './connections.ts';
import { type Line, linesOf, type World } from './lines.ts';
import type { PlaceJson } from './places.ts';
import type { Outcome, Profile } from './profile.ts';

export const passingVerdicts = ['allowed', 'undeclared', 'unknown'] as const;
export type PassingVerdict = (typeof passingVerdicts)[number];

export type Passing = { key: string; verdict: PassingVerdict; why?: UnknownReason; connections: Connections };

export type Filter = {
  verdicts: readonly PassingVerdict[];
  concerns(initiator: PlaceJson, responder: PlaceJson): boolean;
  onProgress?(done: number, of: number): void;
};

export function connectivity(world: World, options: PolicyOptions, filter: Filter): Generator<Line<Passing>> {
  const known = new Map<Profile, readonly Passing[]>();
  const tell = ([profile]: readonly (Profile | undefined)[]): readonly Passing[] => {
    if (profile === undefined) return [];
    let told = known.get(profile);
    if (told === undefined) {
      told = passingIn(profile).filter(({ verdict }) => filter.verdicts.includes(verdict));
      known.set(profile, told);
    }
    return told;
  };
  return linesOf([world], options, { ...filter, tell });
}

function passingIn(profile: Profile): Passing[] {
  const byOutcome = Map.groupBy(profile, ({ outcome }) => outcome.key);
  return [...byOutcome.values()].flatMap((stretches) => {
    const { outcome } = stretches[0]!;
    const verdict = passing(outcome);
    if (verdict === undefined) return [];
    const key = `${outcome.key} ${stretches.map(({ protocol, from, to }) => `${protocol} ${from} ${to}`)}`;
    return [{ key, verdict, ...(outcome.why && { why: outcome.why }), connections: connectionsOf(stretches) }];
  });
}

function passing({ verdict }: Outcome): PassingVerdict | undefined {
  return verdict === 'denied' ? undefined : verdict;
}
