// A Namespace: its labels, including the one that the API server always sets (rule 16).
import type { Namespace } from '../../model/kubernetes.ts';
import type { Field } from './field.ts';
import type { Metadata } from './metadata.ts';
import { labels } from './values.ts';

export function namespace(_field: Field, meta: Metadata): Namespace {
  const { name, uid } = meta;
  const own = Object.assign(Object.create(null), labels(meta.labels), { 'kubernetes.io/metadata.name': name });
  return { kind: 'Namespace', name, namespace: '', uid, labels: own };
}
