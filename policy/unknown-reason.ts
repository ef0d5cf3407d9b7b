// Why it is not known whether a peer matches.
import { keysWithoutValue } from '../model/label-value.ts';
import type { NamesGap, Party, PolicyRef, UnknownReason } from '../model/verdict.ts';
import type { ClusterMatch } from './cluster-peers.ts';

export function unknownReasonOf(
  match: Exclude<ClusterMatch, 'yes' | 'no'>,
  other: Party,
  policies: readonly PolicyRef[],
): UnknownReason {
  switch (match) {
    case 'maybe':
      return { reason: 'address-not-known', policies };
    case 'maybe-named':
      return { reason: 'names-not-known', ...gapOf(other), policies };
    case 'maybe-valued':
      return { reason: 'label-values-not-known', labels: keysWithoutValueOf(other), policies };
    case 'maybe-labelled':
      if (other.kind === 'address') return { reason: 'node-labels-not-known', node: other.node ?? '', policies };
      return { reason: 'namespace-labels-not-known', namespace: other.namespace, policies };
  }
}

function keysWithoutValueOf(other: Party): string[] {
  return other.kind === 'pod' ? keysWithoutValue(other.labels) : [];
}

/** If the names are known except for some that the pod asked for, one of those could match. */
function gapOf(other: Party): { gap?: NamesGap } {
  if (other.kind !== 'address') return {};
  if (other.namesKnown) return { gap: 'reply-missed' };
  return other.namesGap === undefined ? {} : { gap: other.namesGap };
}
