// A document that cannot be read may define or replace any object of its namespace, or of the cluster if its namespace is
// not known. It counts as an invalid policy that comes before all others, so those verdicts are unknown (rule 17).
import type { UnreadDocument } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import { isNamedPolicyKind } from '../../model/recognised-policy.ts';
import { usedKinds } from '../parse/parse.ts';
import { firstContentOffset } from './positions.ts';

/** `name`: `db.yaml:14`, or the file; `namespace` undefined: not known. */
export function unreadObject(name: string, problem: Problem, namespace: string | undefined): UnreadDocument {
  const kind = 'ClusterNetworkPolicy';
  return {
    kind,
    name,
    namespace: '',
    uid: `unread/${name}`,
    createdUs: 0,
    tier: 'Admin',
    broken: [problem],
    unread: true,
    directions: ['ingress', 'egress'],
    ...(namespace !== undefined && {
      subject: {
        namespaceSelector: [{ key: 'kubernetes.io/metadata.name', operator: 'In' as const, values: [namespace] }],
      },
    }),
  };
}

/** `used`: a kind that Waybill uses, or a list. The namespace is set only if the text leaves no doubt. */
export type SeenInText = { kind: 'used'; namespace?: string } | { kind: 'other' | 'none' };

/** The kind that a document seems to have, by its text. */
export function seenInText(text: string): SeenInText {
  const content = contentOf(text);
  const kinds = content.isFlow ? kindsInFlow(content.text) : kindsAtLineStart(content.text);
  if (kinds.length === 0) return { kind: 'none' };
  const used = kinds.some((kind) => usedKinds.has(kind) || kind.endsWith('List') || isNamedPolicyKind(`${kind}.group`));
  if (!used && !seemsToHavePodTemplate(content.text)) return { kind: 'other' };
  const [kind, ...more] = kinds;
  if (more.length > 0 || kind!.endsWith('List') || content.isFlow || !content.isIndentedAlike) return { kind: 'used' };
  const namespace = namespaceIn(content.text, kind === 'Namespace' ? 'name' : 'namespace');
  return namespace === undefined ? { kind: 'used' } : { kind: 'used', namespace };
}

/** The fields of `spec.template.spec.containers`. `data` is that of a ConfigMap or Secret, which may contain any text. */
function seemsToHavePodTemplate(text: string): boolean {
  const has = (field: string) => new RegExp(`(?:^|[{,\\s])["']?${field}["']?[ \\t]*:`, 'm').test(text);
  return has('spec') && has('template') && has('containers') && !has('data');
}

type Content = {
  text: string;
  isFlow: boolean;
  /** Whether no line is indented less than the first. */
  isIndentedAlike: boolean;
};

/** Without the marker, and without the indentation of the first line that is not a comment. */
function contentOf(text: string): Content {
  const withoutMarker = text.replace(/^---(?=[ \t]+[^\s#])/m, '   ');
  const body = withoutMarker.slice(Math.max(0, firstContentOffset(withoutMarker)));
  const [indent] = /^[ \t]*/.exec(body)!;
  const isFlow = body.startsWith('{', indent.length);
  if (isFlow || indent === '') return { text: body, isFlow, isIndentedAlike: true };
  const lines = body.split('\n');
  const isIndentedAlike = lines.every((line) => line.startsWith(indent) || /^\s*(#|$)/.test(line));
  const dedented = lines.map((line) => line.slice(Math.min(indent.length, line.search(/[^ \t]|$/))));
  return { text: dedented.join('\n'), isFlow, isIndentedAlike };
}

function kindsAtLineStart(text: string): string[] {
  return Array.from(text.matchAll(/^(?:- )?["']?kind["']?[ \t]*:[ \t]+["']?([A-Za-z]+)/gm), ([, kind]) => kind!);
}

/** JSON, or YAML in braces. The kind of a reference in it makes no difference: with two kinds, nothing is known. */
function kindsInFlow(text: string): string[] {
  return Array.from(text.matchAll(/[{,\s]["']?kind["']?\s*:\s*["']?([A-Za-z]+)/g), ([, kind]) => kind!);
}

const nameText = /^["']?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)["']?$/;

/** The field directly below the only `metadata:` at a line's start, in a block or in braces. */
function namespaceIn(text: string, field: string): string | undefined {
  const [found, ...others] = text.matchAll(/^metadata[ \t]*:[ \t]*(.*)(?:\r?\n|$)((?:[ \t]+.*(?:\r?\n|$)|\r?\n)*)/gm);
  if (found === undefined || others.length > 0) return undefined;
  const [, sameLine = '', below = ''] = found;
  if (sameLine.startsWith('{')) return onlyName(inBraces(sameLine, field));
  if (sameLine !== '' && !sameLine.startsWith('#')) return undefined;
  const indent = /^([ \t]+)[^\s#]/m.exec(below)?.[1];
  if (indent === undefined) return undefined;
  return onlyName(
    below.split('\n').flatMap((line) => {
      const isField = line.startsWith(`${indent}${field}:`);
      return isField ? withoutComment(line.slice(indent.length + field.length + 1)) : [];
    }),
  );
}

/** Only of braces that hold no other braces: a label may be called `namespace` too. */
function inBraces(line: string, field: string): string[] {
  const [, inside] = /^\{([^{}]*)\}/.exec(line) ?? [];
  const items = inside?.split(',').map((item) => item.trim()) ?? [];
  return items.flatMap((item) => (item.startsWith(`${field}:`) ? item.slice(field.length + 1).trim() : []));
}

function withoutComment(value: string): string {
  return value.replace(/(^|\s)#.*$/, '').trim();
}

function onlyName(values: readonly string[]): string | undefined {
  const [value, ...more] = values;
  return value === undefined || more.length > 0 ? undefined : nameText.exec(value)?.[1];
}
