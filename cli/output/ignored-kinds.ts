// What of the manifests is of kinds that say nothing to policies: told, since one of them may be misspelled.
import { listText } from '../../policy/list-text.ts';

/** `3 objects of other kinds passed over (ConfigMap 2, Secret 1)`; undefined where there are none. */
export function ignoredKindsText(kinds: ReadonlyMap<string, number>): string | undefined {
  const counts = [...kinds].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  const count = counts.reduce((sum, [, one]) => sum + one, 0);
  if (count === 0) return undefined;
  const each = listText(counts.map(([kind, one]) => `${kind} ${one}`));
  return `${count} ${count === 1 ? 'object' : 'objects'} of other kinds passed over (${each})`;
}
