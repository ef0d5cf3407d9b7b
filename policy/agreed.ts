// What may be any of several connections, since it is not known which pod, endpoint or address was at an end (rule 14).
import type { Direction, SideVerdict, UnknownReason, Verdict, Way } from '../model/verdict.ts';
import { heaviestFirst, together } from './judge.ts';
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
  const told = { sides, ways: ways.flatMap((way) => way.verdict.ways ?? way) };
  const whole: Verdict = same ? { verdict: first.verdict, ...told } : { verdict: 'unknown', ...told, why };
  return first.undefinedByApi ? { ...whole, undefinedByApi: true } : whole;
}

/**
 * Where the source may have been translated on its way: what it gets as the pod that it is, and as the address that a
 * policy of the responder may see (rule 14).
 */
export function maybeTranslated(asItself: Way, asAddress: Way, options: Pick<PolicyOptions, 'declaredBy'>): Verdict {
  const { verdict } = asItself;
  const [ingress, other] = [asItself, asAddress].map((way) => way.verdict.sides.find(({ side }) => side === 'ingress'));
  const isSame = ingress?.verdict === other?.verdict;
  if (ingress === undefined || other === undefined || (isSame && ingress.verdict !== 'denied')) return verdict;
  const withIngress = (side: SideVerdict) => verdict.sides.map((one) => (one.side === 'ingress' ? side : one));
  const ways = [asItself, { ...asAddress, verdict: { ...verdict, sides: withIngress(other) } }];
  if (isSame) return { ...verdict, ways };
  const sides = withIngress({ side: 'ingress', verdict: 'unknown', why: { reason: 'source-translated' } });
  return { ...verdict, verdict: together(sides, options), sides, ways };
}

function heaviest(sides: readonly (SideVerdict | undefined)[], { declaredBy }: Pick<PolicyOptions, 'declaredBy'>) {
  const found = heaviestFirst[declaredBy].flatMap((verdict) => sides.find((side) => side?.verdict === verdict) ?? []);
  return found[0] ?? sides.find((side) => side !== undefined)!;
}

function alike(sides: readonly (SideVerdict | undefined)[]): SideVerdict | undefined {
  return sides.every((side) => side?.verdict === sides[0]?.verdict) ? sides[0] : undefined;
}
