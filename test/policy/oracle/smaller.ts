// Shrinks a case one part at a time, as long as it still shows the difference.
import { ip } from '../../scene/records.ts';
import type { Case } from './case.ts';

/** The smallest case that single steps reach. */
export function shrunk(found: Case, stillShows: (smaller: Case) => boolean): Case {
  let smallest = found;
  for (;;) {
    const next = smallerCases(smallest).find(stillShows);
    if (next === undefined) return smallest;
    smallest = next;
  }
}

function smallerCases(whole: Case): Case[] {
  const outside = { kind: 'address' as const, address: ip('203.0.113.99') };
  const isOutside = ({ kind, ...rest }: Case['initiator']) => kind === 'address' && Object.keys(rest).length === 1;
  return [
    ...(isOutside(whole.initiator) ? [] : [{ ...whole, initiator: outside }]),
    ...(isOutside(whole.responder) ? [] : [{ ...whole, responder: outside }]),
    ...smallerOf(whole, ''),
  ];
}

/** All variants without one list item or one field, at any depth. */
function smallerOf<Whole>(whole: Whole, name: string): Whole[] {
  if (Array.isArray(whole)) {
    const shorter = whole.length > (neverEmpty.has(name) ? 1 : 0) ? whole.map((_, at) => whole.toSpliced(at, 1)) : [];
    const simpler = whole.flatMap((item, at) => smallerOf(item, name).map((smaller) => whole.with(at, smaller)));
    return [...shorter, ...simpler] as Whole[];
  }
  if (typeof whole !== 'object' || whole === null) return [];
  return Object.entries(whole).flatMap(([key, value]) => {
    const { [key as keyof Whole]: _, ...rest } = whole;
    const simpler = smallerOf(value, key).map((smaller) => ({ ...whole, [key]: smaller }));
    return mayGo(name, key) ? [rest as Whole, ...simpler] : simpler;
  });
}

/** Whether the field is optional: without another field the policy would be invalid. */
function mayGo(name: string, key: string): boolean {
  return labelMaps.has(name) ? key !== 'kubernetes.io/metadata.name' : optional.has(key);
}

const labelMaps: ReadonlySet<string> = new Set(['labels', 'namespaceLabels', 'nodeLabels', 'matchLabels']);
const neverEmpty: ReadonlySet<string> = new Set(['peers', 'networks', 'domainNames', 'values']);
const optional: ReadonlySet<string> = new Set([
  ...['policyTypes', 'from', 'to', 'except', 'endPort', 'matchLabels', 'matchExpressions'],
  ...['fault', 'notUnderstood', 'names', 'nodeLabels', 'nodeLabelsKnown', 'namespaceLabelsKnown'],
]);
