// Changes of an object, one at a time: each field and item is removed, gets other values, or a neighbour that is unknown.
import type { FieldPath } from '../../../../model/field-path.ts';

export type Mutation = { name: string; object: unknown };

const values: readonly unknown[] = [
  '',
  'x',
  'TCP',
  'A_b!',
  '-',
  'ICMP',
  'Deny',
  'Accept',
  'n'.repeat(64),
  'n'.repeat(101),
  'n'.repeat(254),
  '10.0.0.0/8',
  '10.0.0.1',
  'fd00::/8',
  '::ffff:10.0.0.0/104',
  'example.com',
  '80',
  0,
  1,
  80,
  -1,
  1000,
  1001,
  65535,
  65536,
  1.5,
  true,
  [],
  {},
  [{}],
  ['x'],
];

/** Every change of what is at or below `below`. */
export function mutationsOf(object: unknown, below: FieldPath): Mutation[] {
  const found: Mutation[] = [];
  for (const path of pathsIn(valueAt(object, below), below)) {
    const name = path.join('.');
    const old = valueAt(object, path);
    found.push({ name: `without ${name}`, object: changed(object, path, undefined) });
    for (const value of values) {
      if (JSON.stringify(value) === JSON.stringify(old)) continue;
      found.push({ name: `${name} = ${JSON.stringify(value).slice(0, 40)}`, object: changed(object, path, value) });
    }
    if (Array.isArray(old) && old.length > 0) {
      for (const count of [2, 3, 25, 26, 100, 101]) {
        const repeated = Array.from({ length: count }, () => old[0]);
        found.push({ name: `${name}: ${count} of its first item`, object: changed(object, path, repeated) });
      }
    } else if (typeof old === 'object' && old !== null) {
      found.push({ name: `${name} with an unknown field`, object: changed(object, [...path, 'unknown'], 'x') });
    }
  }
  return found;
}

function pathsIn(value: unknown, path: FieldPath): FieldPath[] {
  if (typeof value !== 'object' || value === null) return [path];
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return [path, ...keys.flatMap((key) => pathsIn((value as Record<string | number, unknown>)[key], [...path, key]))];
}

function valueAt(object: unknown, path: FieldPath): unknown {
  return path.reduce((value, step) => (value as Record<string | number, unknown>)[step], object);
}

/** A copy with the value at `path`; undefined removes it. */
function changed(object: unknown, path: FieldPath, value: unknown): unknown {
  const copy = structuredClone(object);
  const last = path.at(-1)!;
  const parent = valueAt(copy, path.slice(0, -1)) as Record<string | number, unknown>;
  if (value !== undefined) parent[last] = structuredClone(value);
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return copy;
}
