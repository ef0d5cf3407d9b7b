// The verdict of the policies for initiator -> responder, with its reasons as data. policy/explain.ts makes text of it.
import type { Address } from './address.ts';
import type { AnyPolicy, ClusterKind, ContainerPort, Labels } from './kubernetes.ts';

/**
 * One end of a connection for the policies. The address of a node, or of a host-network pod (rule 13), has that node.
 * `some-node` is a host-network pod that has no node yet.
 */
export type Party =
  | {
      kind: 'pod';
      namespace: string;
      name: string;
      labels: Labels;
      namespaceLabels: Labels;
      /** False: the namespace may have other labels too, because it has no manifest. */
      namespaceLabelsKnown?: false;
      /** The one address of a connection, all addresses of a pod in a query, none for a pod template. */
      addresses: readonly Address[];
      /** Empty if not known. */
      node: string;
      ports: readonly ContainerPort[];
      /** Represents all pods of its workload: both ends of the same name are two pods. */
      representsWorkload?: true;
    }
  | {
      kind: 'address';
      address: Address;
      node?: string;
      /** Labels of the node that has the address in its status (rule 24). */
      nodeLabels?: Labels;
      /** False: the node may have other labels too. */
      nodeLabelsKnown?: false;
      /**
       * By DNS answers of trusted servers to the pod at the other end, valid at that time; in lower case without a final dot.
       */
      names?: readonly string[];
      /** Names that the pod asked for, and that may have this address. */
      possibleNames?: readonly string[];
      /** Why it may have other names; missing: not known. */
      namesGap?: NamesGap;
      /** It has no other names. */
      namesKnown?: true;
    }
  | { kind: 'some-node'; namespace: string; name: string };

/** Why a pod may have been given DNS names that were not seen. `reply-missed`: it asked for a name that could match. */
export type NamesGap =
  | 'not-watched'
  | 'watched-late'
  | 'queries-missed'
  | 'reply-missed'
  | 'dns-over-tls'
  | 'other-server'
  | 'other-port'
  | 'capture-file';

/** Input of the policy engine. `port` is the responder's, after translation; undefined for protocols without ports. */
export type Flow = { initiator: Party; responder: Party; protocol: number; port?: number };

export type VerdictName = 'allowed' | 'undeclared' | 'denied' | 'unknown';
export type Direction = 'egress' | 'ingress';
export type Tier = 'Admin' | 'NetworkPolicy' | 'Baseline';

/** `namespace` is empty for a cluster policy. */
export type PolicyRef = { kind: AnyPolicy['kind']; namespace: string; name: string };
/** `rule` counts from 0 in the list of the direction. `always`: the API decides, not a rule (rule 12). */
export type RuleRef =
  | { tier: Tier; policy: PolicyRef; rule: number }
  | { tier: 'always'; reason: 'itself' | 'own-node' };
/** The rule that matches best, and its first part that does not match. `no-rules`: the list is empty. */
export type NearMiss = {
  policy: PolicyRef;
  rule: number;
  mismatch: 'peer' | 'port' | 'protocol' | 'no-rules';
  expected: string;
};

export type UnknownReason =
  | { reason: 'broken-policy'; policies: readonly PolicyRef[] }
  /** `documents`: files with lines, such as `db.yaml:14`. */
  | { reason: 'unread-documents'; documents: readonly string[] }
  /** Recognised policies of other APIs, which are not evaluated, could change the verdict. */
  | { reason: 'not-evaluated'; policies: readonly PolicyRef[] }
  /** Rule 27. */
  | { reason: 'ports-not-defined'; policies: readonly PolicyRef[] }
  | { reason: 'address-not-known'; policies: readonly PolicyRef[] }
  | { reason: 'names-not-known'; gap?: NamesGap; policies: readonly PolicyRef[] }
  | { reason: 'namespace-labels-not-known'; namespace: string; policies: readonly PolicyRef[] }
  | { reason: 'node-labels-not-known'; node: string; policies: readonly PolicyRef[] }
  | { reason: 'label-values-not-known'; labels: readonly string[]; policies: readonly PolicyRef[] }
  | { reason: 'port-name-not-known'; name: string }
  | { reason: 'too-many-selectors'; policies: readonly PolicyRef[] }
  | { reason: 'ambiguous-priority'; policies: readonly PolicyRef[] }
  | { reason: 'node-not-known'; party: string }
  | { reason: 'pods-differ'; party: string }
  | { reason: 'addresses-differ'; party: string }
  | { reason: 'backend-not-known'; service: string }
  | { reason: 'no-endpoints'; service: string; none: NoEndpoints }
  | { reason: 'external-name'; service: string; name: string }
  | { reason: 'host-port-not-known'; pods: readonly string[] }
  | { reason: 'source-translated' }
  | { reason: 'no-owner-at-that-time'; address: Address }
  | { reason: 'address-of-another-node'; address: Address }
  | { reason: 'local-scope'; address: Address }
  | { reason: 'sender-not-seen'; address: Address }
  | { reason: 'cluster-not-synced' }
  | { reason: 'cluster-stale'; kinds: readonly StaleKind[] };

/**
 * Why a Service has no endpoint. `no-such-port`: no pod that it selects has a port with the name of its target port.
 * `selector-not-known`: it may have some, because it selects pods by the values of labels that are not known.
 */
export type NoEndpoints =
  | { why: 'no-selector' }
  | { why: 'selects-no-pod'; selector: Labels }
  | { why: 'no-such-port'; port: string; protocol: number }
  | { why: 'none-ready' }
  | { why: 'none-on-node' }
  | { why: 'selector-not-known'; labels: readonly string[] };

/** The objects of the kind were not followed from `sinceUs` on; `untilUs` is missing while that lasts. */
export type StaleKind = { kind: ClusterKind; sinceUs: number; untilUs?: number };

/** A Pass rule that matches, or that may match if it is not `sure`. */
export type PassMatch = { rule: RuleRef; sure: boolean };

/**
 * A new rule that allows a denied connection must come before this rule of a cluster policy. Set if it is not the rule
 * that decided. `nowhere`: no single rule is enough, because another policy of the same priority denies the connection
 * too, or because it is not known whether the policy selects the pod.
 */
export type InsertBefore = RuleRef | 'nowhere';

export type SideVerdict = { side: Direction } & (
  | { verdict: 'allowed'; decidedBy: RuleRef }
  /** `passMatches`: Pass rules of cluster policies; `unmatched`: cluster policies that select the pod without a matching rule. */
  | { verdict: 'undeclared'; passMatches?: readonly PassMatch[]; unmatched?: readonly PolicyRef[] }
  /** A Deny rule matched. `notUnderstood` is the part that makes it fail closed (rule 26). */
  | { verdict: 'denied'; flow: Flow; decidedBy: RuleRef; notUnderstood?: string; insertBefore?: InsertBefore }
  /** Isolated, and no rule matched. */
  | {
      verdict: 'denied';
      flow: Flow;
      isolatedBy: readonly PolicyRef[];
      nearest: readonly NearMiss[];
      insertBefore?: InsertBefore;
    }
  | { verdict: 'unknown'; why: UnknownReason }
);

/** One of several possible connections, if the pod, endpoint or address of an end is not known. */
export type Alternative = { initiator: Party; responder: Party; verdict: Verdict };

/** `undefinedByApi`: NetworkPolicy does not cover the protocol (rule 11). Sides: egress, then ingress. */
export type Verdict = {
  verdict: VerdictName;
  sides: readonly SideVerdict[];
  undefinedByApi?: true;
  /**
   * Policies that select the responder and act on what the network delivered. They may refuse it, and do not change the
   * verdict.
   */
  afterNetwork?: readonly PolicyRef[];
  /** Set if the verdict is unknown for a reason that is not one of a single side. */
  why?: UnknownReason;
  /** The possible connections that `sides` combines, if there are several. */
  alternatives?: readonly Alternative[];
};

/** A side in JSON (docs/json.md). Policies are strings like `NetworkPolicy shop/db`. */
export type SideJson = {
  side: Direction;
  verdict: VerdictName;
  decidedBy?: { tier: string; policy?: string; rule?: number; reason?: string };
  isolatedBy?: readonly string[];
  why: string;
  /** The rule that would allow a denied side. */
  needs?: string;
};
