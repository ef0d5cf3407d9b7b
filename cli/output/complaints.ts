// The complaints of `waybill lint` as JSON (docs/json.md) and as text.

import type { Complaint } from '../../lint/complaint.ts';
import { type FieldPath, pathText } from '../../model/field-path.ts';
import type { Severity } from '../../model/finding.ts';
import { type ClusterObject, manifestKind } from '../../model/kubernetes.ts';
import type { ItemFormatter } from './format.ts';
import { severityStyle } from './item-formatters.ts';

/** Fields that do not apply or are unknown are missing. */
export type ComplaintJson = {
  rule: string;
  severity: Severity;
  object: string;
  namespace?: string;
  file?: string;
  line?: number;
  field?: string;
  fault: string;
  fix: string;
  /** The same as `fix`, for scripts that were written for 0.1.0. */
  mend: string;
};

/** `locate`: `db.yaml:14`, or the file alone. */
export function complaintJson(complaint: Complaint, locate: ((path: FieldPath) => string) | undefined): ComplaintJson {
  const { rule, severity, object, path, fault, fix } = complaint;
  const namespace = namespaceOf(object);
  return {
    rule,
    severity,
    object: titleOf(object),
    ...(namespace !== '' && { namespace }),
    ...(locate !== undefined && parseLocation(locate(path))),
    ...(path.length > 0 && { field: pathText(path) }),
    fault,
    fix,
    mend: fix,
  };
}

/** Empty for a policy of the whole cluster. */
export function namespaceOf(object: ClusterObject): string {
  return object.kind === 'Namespace' ? object.name : object.namespace;
}

function titleOf(object: ClusterObject): string {
  return `${manifestKind(object)} ${object.namespace === '' ? '' : `${object.namespace}/`}${object.name}`;
}

function parseLocation(text: string): { file: string; line?: number } {
  const [, file, line] = /^(.*):(\d+)$/.exec(text) ?? [];
  return file === undefined ? { file: text } : { file, line: Number(line) };
}

export const complaintFormatter: ItemFormatter<ComplaintJson> = {
  emptyText: 'no complaints',
  columns: (complaint) => ({
    severity: complaint.severity,
    rule: complaint.rule,
    place: locationText(complaint),
    object: complaint.object,
    field: complaint.field ?? '',
  }),
  detail: ({ fault, fix }) => [`${fault}; ${fix}`],
  // The form of compiler messages, so editors can jump to the line.
  compact: (complaint) => {
    const { severity, rule, object, field, fault, fix } = complaint;
    const place = locationText(complaint);
    const subject = field === undefined ? object : `${object} ${field}`;
    return `${place === '' ? '' : `${place}: `}${severity} ${rule}: ${subject}: ${fault}; ${fix}`;
  },
  style: ({ severity }) => severityStyle(severity),
};

function locationText({ file, line }: ComplaintJson): string {
  return line === undefined ? (file ?? '') : `${file}:${line}`;
}
