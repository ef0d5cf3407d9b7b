// The metadata of an object: name, namespace, uid, labels and creation time.
import { badName, missingField } from './errors.ts';
import type { Field } from './field.ts';
import { timeUs } from './values.ts';

export type Metadata = { name: string; namespace: string; uid: string; createdUs: number; labels: Field; field: Field };
export type Scope = 'namespaced' | 'cluster';

/**
 * `name` is empty if it is missing or invalid. An object without a uid, as in most files, gets one from its kind, namespace
 * and name, so that uids are unique.
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

function nameOf(field: Field, nameField: Field): string {
  const name = field.text() ?? '';
  if (name === '') {
    if (!field.given || field.value === '') nameField.fault(missingField('name'));
    return '';
  }
  return checkName(field, name) ? name : '';
}

function namespaceOf(field: Field): string {
  const namespace = field.text() || 'default';
  return checkName(field, namespace) ? namespace : 'default';
}

/** Less strict than the API server: it only keeps object keys unique and output on one line. */
export function isName(text: string): boolean {
  return text.length <= 253 && /^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(text);
}

function checkName(field: Field, name: string): boolean {
  if (isName(name)) return true;
  field.fault(badName(name));
  return false;
}
