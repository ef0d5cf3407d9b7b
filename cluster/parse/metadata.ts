// The metadata of an object: name, namespace, uid, labels and creation time.
import { badName, missingField } from './errors.ts';
import type { Field } from './field.ts';
import { isDnsLabel, isDnsSubdomain, labels, timeUs } from './values.ts';

export type Metadata = { name: string; namespace: string; uid: string; createdUs: number; labels: Field; field: Field };
export type Scope = 'namespaced' | 'cluster';

/**
 * `name` is empty if it is missing or invalid. An object without a uid, as in most files, gets one from its kind, namespace
 * and name, so that uids are unique.
 */
export function metadata(object: Field, kind: string, scope: Scope): Metadata {
  const field = object.at('metadata');
  const form = namedByLabel.has(kind) ? 'label' : 'subdomain';
  const name = nameOf(field.at('name'), field.at('generateName'), form);
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

/** Labels and annotations that say nothing about a policy, and that the API server checks all the same. */
export function checkLabelsAndAnnotations({ labels: ownLabels, field }: Metadata): void {
  labels(ownLabels);
  for (const [, annotation] of field.at('annotations').entries()) annotation.text();
}

type NameForm = 'label' | 'subdomain';

/** All other kinds are named by a DNS subdomain. */
const namedByLabel: ReadonlySet<string> = new Set(['Namespace', 'Service']);

/** The API server adds characters to generateName, so it may end with a hyphen. */
function nameOf(nameField: Field, prefixField: Field, form: NameForm): string {
  const isPrefix = !nameField.given;
  const field = isPrefix ? prefixField : nameField;
  const name = field.text() ?? '';
  if (name === '') {
    if (!field.given || field.value === '') nameField.fault(missingField('name'));
    return '';
  }
  return checkName(field, isPrefix ? name.replace(/-$/, '') : name, form) ? name : '';
}

function namespaceOf(field: Field): string {
  const namespace = field.text() || 'default';
  return checkName(field, namespace, 'label') ? namespace : 'default';
}

function checkName(field: Field, name: string, form: NameForm): boolean {
  if (form === 'label' ? isDnsLabel(name) : isDnsSubdomain(name)) return true;
  field.fault(badName(String(field.value), form));
  return false;
}

/** Less strict than the API server: it only keeps output on one line. */
export function isName(text: string): boolean {
  return text.length <= 253 && /^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(text);
}
