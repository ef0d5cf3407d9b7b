// What every object carries: name, namespace, uid, labels, and when it was made.
import { badName, missingField } from './errors.ts';
import type { Field } from './field.ts';
import { timeUs } from './values.ts';

export type Metadata = { name: string; namespace: string; uid: string; createdUs: number; labels: Field; field: Field };
export type Scope = 'namespaced' | 'cluster';

/**
 * `name` is empty where it is missing or none. An object without a uid, as most in files are, gets one made of kind,
 * namespace and name, so that uids stay unique.
 */
export function metadata(object: Field, kind: string, scope: Scope): Metadata {
  const field = object.at('metadata');
  const name = nameOf(field.at('name').given ? field.at('name') : field.at('generateName'), field.at('name'));
  const namespace = scope === 'cluster' ? '' : namespaceOf(field.at('namespace'));
  return {
    name,
    namespace,
    uid: field.at('uid').text() || `${kind}/${namespace}/${name}`,
    createdUs: timeUs(field.at('creationTimestamp')),
    labels: field.at('labels'),
    field,
  };
}

function nameOf(field: Field, wanted: Field): string {
  const name = field.text() ?? '';
  if (name === '') {
    if (!field.given || field.value === '') wanted.fault(missingField('name'));
    return '';
  }
  return sound(field, name) ? name : '';
}

function namespaceOf(field: Field): string {
  const namespace = field.text() || 'default';
  return sound(field, namespace) ? namespace : 'default';
}

/** Looser than the API server: what matters here is that keys made of names are unique and lines stay lines. */
export function isName(text: string): boolean {
  return text.length <= 253 && /^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(text);
}

function sound(field: Field, name: string): boolean {
  if (isName(name)) return true;
  field.fault(badName(name));
  return false;
}
