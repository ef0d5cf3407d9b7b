// The verdict of a side is unknown if a recognised policy, which is not evaluated, could change it.
import { type Effects, factsOf, type RecognisedKind } from '../model/recognised-policy.ts';
import type { Party, PolicyRef, SideVerdict } from '../model/verdict.ts';
import type { RecognisedSide } from './recognised-layer.ts';

/** The verdict, or `unknown` with the policies that could change it. */
export function unlessNotEvaluated(
  verdict: SideVerdict,
  recognised: readonly RecognisedSide[],
  other: Party,
  isOwnNode: boolean,
): SideVerdict {
  if (recognised.length === 0 || verdict.verdict === 'unknown') return verdict;
  const policies = new Set<PolicyRef>();
  for (const one of recognised) {
    if (couldChange(one.object.kind, one.effects, verdict, other, isOwnNode)) policies.add(one.policy);
  }
  if (policies.size === 0) return verdict;
  return { side: verdict.side, verdict: 'unknown', why: { reason: 'not-evaluated', policies: distinct(policies) } };
}

/** Calico's API server shows each policy of crd.projectcalico.org in projectcalico.org too: that one is enough. */
function distinct(policies: ReadonlySet<PolicyRef>): PolicyRef[] {
  const all = [...policies];
  return all.filter(({ kind, namespace, name }) => {
    const [before, after] = kind.split('.crd.projectcalico.org');
    if (after === undefined) return true;
    const shown = `${before}.projectcalico.org`;
    return !all.some(
      (one) => one.kind === shown && one.namespace === namespace && untiered(one.name) === untiered(name),
    );
  });
}

/** Without the prefix of the default tier, which older versions store in the name. */
function untiered(name: string): string {
  return name.replace(/^default\./, '');
}

/** What allows can change a denial; what denies can change any other verdict. */
export function couldChange(
  kind: RecognisedKind,
  effects: Effects,
  verdict: SideVerdict,
  other: Party,
  isOwnNode: boolean,
): boolean {
  const { acts, egressToOutside, afterAdmin, ownNodeIngress } = factsOf(kind);
  if (acts === 'after-network') return false;
  if (egressToOutside && (verdict.side === 'ingress' || other.kind === 'pod')) return false;
  const decidedBy = 'decidedBy' in verdict ? verdict.decidedBy : undefined;
  if (decidedBy?.tier === 'always' && decidedBy.reason === 'itself') return false;
  if (afterAdmin && decidedBy?.tier === 'Admin') return false;
  if (verdict.verdict === 'denied') return effects.allow === true;
  if (isOwnNode && verdict.side === 'ingress') {
    if (ownNodeIngress === 'nothing') return false;
    if (ownNodeIngress === 'deny-rules') return effects.deny === true;
  }
  return effects.deny === true || effects.isolate === true;
}
