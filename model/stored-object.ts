// An object of the cluster as text for the store.
import { type Prefix, parsePrefix } from './address.ts';
import type { ClusterObject } from './kubernetes.ts';

/** A prefix is stored as its text. Label keys are never empty or contain a colon, so this is not a label. */
const prefixKey = ':prefix';

export function objectText(object: ClusterObject): string {
  return JSON.stringify(object, (_, value) => (isPrefix(value) ? { [prefixKey]: value.text } : value));
}

/** Equals the object that was stored. Throws if the text is not valid. */
export function objectOfText(text: string): ClusterObject {
  const object = JSON.parse(text, (key, value) => {
    if (typeof value !== 'object' || value === null) return value;
    if (prefixKey in value) return prefixOf(value[prefixKey]);
    // Maps with keys from outside have no prototype.
    return mapFields.has(key) ? Object.assign(Object.create(null), value) : value;
  });
  if (
    typeof object !== 'object' ||
    object === null ||
    typeof object.kind !== 'string' ||
    typeof object.uid !== 'string'
  )
    throw new Error('the stored object is not valid');
  return object as ClusterObject;
}

const mapFields: ReadonlySet<string> = new Set(['labels', 'selector']);

function isPrefix(value: unknown): value is Prefix {
  return typeof value === 'object' && value !== null && 'bytes' in value && value.bytes instanceof Uint8Array;
}

function prefixOf(text: unknown): Prefix {
  const prefix = typeof text === 'string' ? parsePrefix(text) : undefined;
  if (prefix === undefined) throw new Error(`invalid prefix ${JSON.stringify(text)}`);
  return prefix;
}
