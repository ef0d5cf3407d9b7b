// The finding that an attack must cause, compared with those that Waybill reports.
import type { ConnectionJson, EndpointJson, FindingJson } from '../../model/json.ts';

/** A missing field is not compared. */
export type ExpectedFinding = {
  kind: string;
  severity?: string;
  /** `shop/db`, or a zone for an endpoint outside of the cluster. */
  responder?: string;
  protocol?: string;
  port?: number;
  /** A text that the explanation or the evidence contains, such as the forged address. */
  mentions?: string;
};

/** Undefined if one of the findings is as expected; else what was expected, and the findings that come close. */
export function missingFinding(expected: ExpectedFinding, findings: readonly FindingJson[]): string | undefined {
  if (findings.some((finding) => isAs(expected, finding))) return undefined;
  const { kind, responder, protocol, port } = expected;
  const near = findings.filter(
    (one) => one.kind === kind || (responder !== undefined && nameOf(one.responder) === responder && one.port === port),
  );
  const words = [kind, expected.severity, `to ${responder ?? 'anywhere'}`, protocol, port, expected.mentions];
  const seen = near.slice(0, 3).map(findingText).join('; ');
  return `expected a finding ${words.filter((word) => word !== undefined).join(' ')}; seen ${seen || 'none that is near'}`;
}

function isAs({ kind, severity, responder, protocol, port, mentions }: ExpectedFinding, finding: FindingJson): boolean {
  const { explanation, evidence } = finding;
  return (
    finding.kind === kind &&
    (severity === undefined || finding.severity === severity) &&
    (responder === undefined || nameOf(finding.responder) === responder) &&
    (protocol === undefined || finding.protocol === protocol) &&
    (port === undefined || finding.port === port) &&
    (mentions === undefined || `${explanation} ${JSON.stringify(evidence)}`.includes(mentions))
  );
}

/** One line: `denied, established, delivered yes, observed at source, bypass`. */
export function connectionText({ verdict, reason, outcome, delivered, observed, finding }: ConnectionJson): string {
  const why = reason === undefined ? '' : ` (${reason})`;
  return `${verdict}${why}, ${outcome}, delivered ${delivered}, observed at ${observed.join(' and ')}, finding ${finding ?? 'none'}`;
}

/** One line: `critical bypass of tenant/evil to shop/db TCP 5432, 1 connection`. */
export function findingText({
  severity,
  kind,
  initiator,
  responder,
  protocol,
  port,
  connections,
}: FindingJson): string {
  const to = responder === undefined ? '' : ` to ${nameOf(responder)}`;
  const ports = protocol === undefined ? '' : ` ${protocol}${port === undefined ? '' : ` ${port}`}`;
  return `${severity} ${kind} of ${nameOf(initiator)}${to}${ports}, ${connections} connections`;
}

export function nameOf(endpoint: EndpointJson | undefined): string | undefined {
  if (endpoint === undefined) return undefined;
  const { namespace, workload, service, zone, node, ip } = endpoint;
  if (workload !== undefined) return `${namespace}/${workload}`;
  if (service !== undefined) return `${namespace}/${service}`;
  return zone ?? (node === undefined ? ip : `node ${node}`);
}
