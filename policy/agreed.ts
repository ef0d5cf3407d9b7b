// What may be any of several connections, since it is not known which pod, endpoint or address was at an end (rule 14).
import type { Direction, SideVerdict, UnknownReason, Verdict, Way } from '../model/verdict.ts';
import { heaviestFirst } from './judge.ts';
import type { PolicyOptions } from './options.ts';

const directions: readonly Direction[] = ['egress', 'ingress'];

/** All the same gives that verdict; else it is unknown for the reason `why`, as where not `all` of the ways are known. */
export function agreed(
  ways: readonly Way[],
  all: boolean,
  why: UnknownReason,
  options: Pick<PolicyOptions, 'declaredBy'>,
): Verdict {
  const first = ways[0]?.verdict;
  if (first === undefined) return { verdict: 'unknown', sides: [], why };
  const same = all && ways.every(({ verdict }) => verdict.verdict === first.verdict);
  if (same && ways.length === 1) return first;
  const sides = directions.flatMap((direction) => {
    const ofWays = ways.map(({ verdict }) => verdict.sides.find(({ side }) => side === direction));
    if (ofWays.every((side) => side === undefined)) return [];
    const doubt: SideVerdict = { side: direction, verdict: 'unknown', why };
    return same ? heaviest(ofWays, options) : all ? (alike(ofWays) ?? doubt) : doubt;
  });
  const whole: Verdict = same ? { verdict: first.verdict, sides, ways } : { verdict: 'unknown', sides, ways, why };
  return first.undefinedByApi ? { ...whole, undefinedByApi: true } : whole;
}

function heaviest(sides: readonly (SideVerdict | undefined)[], { declaredBy }: Pick<PolicyOptions, 'declaredBy'>) {
  const found = heaviestFirst[declaredBy].flatMap((verdict) => sides.find((side) => side?.verdict === verdict) ?? []);
  return found[0] ?? sides.find((side) => side !== undefined)!;
}

function alike(sides: readonly (SideVerdict | undefined)[]): SideVerdict | undefined {
  return sides.every((side) => side?.verdict === sides[0]?.verdict) ? sides[0] : undefined;
}
