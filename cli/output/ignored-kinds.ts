// Reports the objects that have nothing to do with policies, because a kind among them may be misspelled.
import { escapeControls } from '../../model/escape.ts';
import { listText } from '../../policy/list-text.ts';

/** `ignored 3 objects of other kinds (ConfigMap 2, Secret 1)`; undefined without such objects. */
export function ignoredKindsText(kinds: ReadonlyMap<string, number>): string | undefined {
  const counts = [...kinds].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  const count = counts.reduce((sum, [, one]) => sum + one, 0);
  if (count === 0) return undefined;
  const each = listText(counts.map(([kind, one]) => `${escapeControls(kind)} ${one}`));
  return `ignored ${count} ${count === 1 ? 'object' : 'objects'} of other kinds (${each})`;
}
