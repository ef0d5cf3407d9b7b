// The fields of the JSON output. The compiler finds a field that is missing here, and json.test.ts one that is missing in
// docs/json.md.
import type { ComplaintJson } from '../../cli/output/complaints.ts';
import type { ChangedJson, PassingJson } from '../../cli/output/connectivity.ts';
import type { PodPoliciesJson } from '../../cli/output/pod-policies.ts';
import type { NodeStatus } from '../../collector/api/api.ts';
import type { EndpointGroupJson } from '../../connectivity/endpoint-groups.ts';
import type { ConnectionJson, EndpointJson, FindingJson } from '../../model/json.ts';
import type { SideJson } from '../../model/verdict.ts';
import type { VerdictJson } from '../../policy/explain.ts';
import type { SelectedPoliciesJson, SelectedPolicyJson } from '../../policy/selected-policies.ts';

/** Needs a key for each field of the type; for a union, the fields of all members. */
type Fields<Of> = Record<Of extends unknown ? keyof Of : never, true>;

export const endpointFields: Fields<EndpointJson> = {
  kind: true,
  ip: true,
  namespace: true,
  workload: true,
  workloadKind: true,
  pod: true,
  node: true,
  service: true,
  zone: true,
  names: true,
  unverifiedNames: true,
};

export const findingFields: Fields<FindingJson> = {
  id: true,
  kind: true,
  severity: true,
  initiator: true,
  responder: true,
  protocol: true,
  port: true,
  ports: true,
  protocols: true,
  responders: true,
  placement: true,
  verdict: true,
  outcome: true,
  delivered: true,
  connections: true,
  firstSeen: true,
  lastSeen: true,
  explanation: true,
  sides: true,
  evidence: true,
};

export const connectionFields: Fields<ConnectionJson> = {
  id: true,
  start: true,
  end: true,
  initiator: true,
  responder: true,
  sourceAddress: true,
  translated: true,
  protocol: true,
  port: true,
  initiatorPort: true,
  placement: true,
  verdict: true,
  elsewhere: true,
  reason: true,
  outcome: true,
  delivered: true,
  deliveredReason: true,
  packets: true,
  bytes: true,
  rttMs: true,
  observed: true,
  names: true,
  ended: true,
  initiatorInferred: true,
  midStream: true,
  synRetries: true,
  sequenceRewritten: true,
  finding: true,
};

export const sideFields: Fields<SideJson> = {
  side: true,
  verdict: true,
  decidedBy: true,
  isolatedBy: true,
  why: true,
  needs: true,
};

export const answerFields: Fields<VerdictJson & { id: unknown; error: string }> = {
  id: true,
  verdict: true,
  reason: true,
  undefinedByApi: true,
  afterNetwork: true,
  sides: true,
  error: true,
};

export const complaintFields: Fields<ComplaintJson> = {
  rule: true,
  severity: true,
  object: true,
  namespace: true,
  file: true,
  line: true,
  field: true,
  fault: true,
  fix: true,
  mend: true,
};

const linesFields = { initiator: true, responder: true, placement: true, connections: true, protocols: true } as const;

export const passingFields: Fields<PassingJson> = { ...linesFields, verdict: true, reason: true };

export const changedFields: Fields<ChangedJson> = { ...linesFields, change: true, before: true, after: true };

export const placeFields: Fields<EndpointGroupJson> = {
  kind: true,
  namespace: true,
  workload: true,
  workloadKind: true,
  pods: true,
  nodes: true,
  ips: true,
  addresses: true,
  namesSeen: true,
  names: true,
  notNames: true,
  text: true,
  namespaces: true,
  namespaceSelector: true,
  podSelector: true,
  except: true,
};

export const podPoliciesFields: Fields<PodPoliciesJson> = {
  pod: true,
  pods: true,
  hostNetwork: true,
  ingress: true,
  egress: true,
};

export const directionPoliciesFields: Fields<SelectedPoliciesJson> = { isolated: true, policies: true, open: true };

export const selectedPolicyFields: Fields<SelectedPolicyJson> = {
  order: true,
  tier: true,
  policy: true,
  priority: true,
  selects: true,
  status: true,
  enforcedBy: true,
  rules: true,
};

export const nodeFields: Fields<NodeStatus> = {
  node: true,
  agent: true,
  lastHeard: true,
  lagMs: true,
  clockOffsetMs: true,
  version: true,
  source: true,
  sourceReason: true,
  interfaces: true,
  notWatched: true,
  gaps: true,
  podsNotWatched: true,
  recordsReceived: true,
  duplicatesDropped: true,
  refusedBatches: true,
  refusedClaims: true,
  agents: true,
  books: true,
};
