// Combines the verdicts of several candidates: it is not known which pod, endpoint or address was at an end (rule 14).
import type { Alternative, Direction, PolicyRef, SideVerdict, UnknownReason, Verdict } from '../model/verdict.ts';
import { combineSides, verdictPrecedence } from './judge.ts';
import type { PolicyOptions } from './options.ts';

const directions: readonly Direction[] = ['egress', 'ingress'];

/** The common verdict of all candidates; unknown with the reason `why` if they differ, or not all candidates are known. */
export function combineAlternatives(
  alternatives: readonly Alternative[],
  allKnown: boolean,
  why: UnknownReason,
  options: Pick<PolicyOptions, 'declaredBy'>,
): Verdict {
  const first = alternatives[0]?.verdict;
  if (first === undefined) return { verdict: 'unknown', sides: [], why };
  const same = allKnown && alternatives.every(({ verdict }) => verdict.verdict === first.verdict);
  if (same && alternatives.length === 1) return first;
  const sides = directions.flatMap((direction) => {
    const alternativeSides = alternatives.map(({ verdict }) => verdict.sides.find(({ side }) => side === direction));
    if (alternativeSides.every((side) => side === undefined)) return [];
    const unknownSide: SideVerdict = { side: direction, verdict: 'unknown', why };
    return same
      ? dominantSide(alternativeSides, options)
      : allKnown
        ? (commonSide(alternativeSides) ?? unknownSide)
        : unknownSide;
  });
  const parts = {
    sides,
    alternatives: alternatives.flatMap((alternative) => alternative.verdict.alternatives ?? alternative),
  };
  const afterNetwork = distinct(alternatives.flatMap(({ verdict }) => verdict.afterNetwork ?? []));
  const combined: Verdict = same ? { verdict: first.verdict, ...parts } : { verdict: 'unknown', ...parts, why };
  return {
    ...combined,
    ...(first.undefinedByApi && { undefinedByApi: true }),
    ...(afterNetwork.length > 0 && { afterNetwork }),
  };
}

function distinct(policies: readonly PolicyRef[]): readonly PolicyRef[] {
  return [...new Set(policies)];
}

/**
 * If the source address may have been translated: combines the verdict of the initiating pod with that of the address
 * that the responder's policies may see (rule 14).
 */
export function combineMaybeTranslated(
  untranslated: Alternative,
  translated: Alternative,
  options: Pick<PolicyOptions, 'declaredBy'>,
): Verdict {
  const { verdict } = untranslated;
  const [ingress, other] = [untranslated, translated].map((alternative) =>
    alternative.verdict.sides.find(({ side }) => side === 'ingress'),
  );
  const isSame = ingress?.verdict === other?.verdict;
  if (ingress === undefined || other === undefined || (isSame && ingress.verdict !== 'denied')) return verdict;
  const withIngress = (side: SideVerdict) => verdict.sides.map((one) => (one.side === 'ingress' ? side : one));
  const alternatives = [untranslated, { ...translated, verdict: { ...verdict, sides: withIngress(other) } }];
  if (isSame) return { ...verdict, alternatives };
  const sides = withIngress({ side: 'ingress', verdict: 'unknown', why: { reason: 'source-translated' } });
  return { ...verdict, verdict: combineSides(sides, options), sides, alternatives };
}

function dominantSide(sides: readonly (SideVerdict | undefined)[], { declaredBy }: Pick<PolicyOptions, 'declaredBy'>) {
  const candidates = verdictPrecedence[declaredBy].flatMap(
    (verdict) => sides.find((side) => side?.verdict === verdict) ?? [],
  );
  return candidates[0] ?? sides.find((side) => side !== undefined)!;
}

function commonSide(sides: readonly (SideVerdict | undefined)[]): SideVerdict | undefined {
  return sides.every((side) => side?.verdict === sides[0]?.verdict) ? sides[0] : undefined;
}
