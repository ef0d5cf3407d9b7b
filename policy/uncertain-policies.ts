// NetworkPolicies that may or may not select the pod, because they require a value of a label that is not known (rule 16a).
// The verdict is certain if it is the same whichever of them select the pod.
import type { SideVerdict } from '../model/verdict.ts';
import type { Isolation } from './compile.ts';
import type { PolicyOptions } from './options.ts';
import { type Match, type PodParty, peersMatch } from './peers.ts';
import type { Selection } from './policy-set.ts';
import { portsMatch } from './ports.ts';
import type { SideContext } from './tiers.ts';
import { unknownReasonOf } from './unknown-reason.ts';

/** `certain` is the verdict if none of the uncertain policies selects the pod. */
export function maybeIsolated(
  certain: SideVerdict,
  { isolating, uncertain }: Selection,
  context: SideContext,
  options: PolicyOptions,
): SideVerdict {
  const matches = uncertain.map((one) => rulesMatch(one, context, options));
  switch (certain.verdict) {
    case 'unknown':
      return certain;
    case 'allowed':
      // Another policy cannot deny what a policy that isolates the pod allows (rule 3).
      return isolating.length > 0 || matches.every((match) => match === 'yes')
        ? certain
        : unknownSide(certain, uncertain, context.own);
    case 'denied':
      return matches.every((match) => match === 'no') ? certain : unknownSide(certain, uncertain, context.own);
    case 'undeclared':
      return unknownSide(certain, uncertain, context.own);
  }
}

/** A policy that isolates the pod always lets it reach its own node (rule 12). */
export function maybeIsolatedFromOwnNode(certain: SideVerdict, { uncertain }: Selection, own: PodParty): SideVerdict {
  if (uncertain.length === 0 || certain.verdict === 'allowed' || certain.verdict === 'unknown') return certain;
  return unknownSide(certain, uncertain, own);
}

function unknownSide({ side }: SideVerdict, uncertain: readonly Isolation[], own: PodParty): SideVerdict {
  const policies = uncertain.map(({ policy }) => policy);
  return { side, verdict: 'unknown', why: unknownReasonOf('maybe-valued', own, policies) };
}

/** Whether a rule of the policy allows the connection. */
function rulesMatch({ rules }: Isolation, { own, other, flow }: SideContext, options: PolicyOptions): Match {
  let found: Match = 'no';
  for (const { peers, ports } of rules) {
    if (portsMatch(ports, flow) !== 'yes') continue;
    const match = peersMatch(peers, own, other, options);
    if (match === 'yes') return match;
    if (found === 'no') found = match;
  }
  return found;
}
