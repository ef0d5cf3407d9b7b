// What the declared policies say of initiator -> responder, with its reasons as data; policy/explain.ts tells it in words.
import type { Address } from './address.ts';
import type { ContainerPort, Labels, Policy } from './kubernetes.ts';

/**
 * Who a policy sees at one end. An address that is a node's (or a host-network pod's, rule 13) carries that node;
 * `some-node` is a host-network pod that has no node yet.
 */
export type Party =
  | {
      kind: 'pod';
      namespace: string;
      name: string;
      labels: Labels;
      namespaceLabels: Labels;
      /** False: the namespace may have others beside these, as one without a manifest has. */
      namespaceLabelsKnown?: false;
      /** Those it may be seen with: one for a connection, all of a pod that is asked about; empty for a pod template. */
      addresses: readonly Address[];
      /** Empty where it is not known. */
      node: string;
      ports: readonly ContainerPort[];
      /** It stands for all pods of its workload: two of one name are two pods. */
      representsWorkload?: true;
    }
  | {
      kind: 'address';
      address: Address;
      node?: string;
      /** Of the node in whose status the address is (rule 24). */
      nodeLabels?: Labels;
      /** False: the node may have others beside these. */
      nodeLabelsKnown?: false;
      /** By the DNS answers that held then, in lower case without a final dot; missing or empty: none was observed. */
      names?: readonly string[];
    }
  | { kind: 'some-node'; namespace: string; name: string };

/** What is judged: `port` is the responder's, after translation; undefined for protocols without ports. */
export type Flow = { initiator: Party; responder: Party; protocol: number; port?: number };

export type VerdictName = 'allowed' | 'undeclared' | 'denied' | 'unknown';
export type Direction = 'egress' | 'ingress';
export type Tier = 'Admin' | 'NetworkPolicy' | 'Baseline';

/** `namespace` is empty for a policy of the whole cluster. */
export type PolicyRef = { kind: Policy['kind']; namespace: string; name: string };
/** `rule` counts from 0 within the direction's list; `always`: no rule but the API itself decides (rule 12). */
export type RuleRef =
  | { tier: Tier; policy: PolicyRef; rule: number }
  | { tier: 'always'; reason: 'itself' | 'own-node' };
/** The rule that came nearest, and the first part of it that did not match; `no-rules`: the list is empty. */
export type NearMiss = {
  policy: PolicyRef;
  rule: number;
  mismatch: 'peer' | 'port' | 'protocol' | 'no-rules';
  expected: string;
};

export type UnknownReason =
  | { reason: 'broken-policy'; policies: readonly PolicyRef[] }
  | { reason: 'address-not-known'; policies: readonly PolicyRef[] }
  | { reason: 'names-not-known'; policies: readonly PolicyRef[] }
  | { reason: 'namespace-labels-not-known'; namespace: string; policies: readonly PolicyRef[] }
  | { reason: 'node-labels-not-known'; node: string; policies: readonly PolicyRef[] }
  | { reason: 'ambiguous-priority'; policies: readonly PolicyRef[] }
  | { reason: 'node-not-known'; party: string }
  | { reason: 'pods-differ'; party: string }
  | { reason: 'addresses-differ'; party: string }
  | { reason: 'backend-not-known'; service: string }
  | { reason: 'source-translated' }
  | { reason: 'no-owner-at-that-time'; address: Address }
  | { reason: 'local-scope'; address: Address }
  | { reason: 'cluster-not-synced' };

/** A Pass rule that matches, or, where it is not `sure`, may match. */
export type PassMatch = { rule: RuleRef; sure: boolean };

/**
 * The rule of a cluster policy that a rule would have to stand before to let pass what is denied, where it is another than
 * the one that decided: it may deny it first. `nowhere`: no one rule would do, since another policy of the same priority
 * denies it too, or it is not known whether the policy touches the pod.
 */
export type InsertBefore = RuleRef | 'nowhere';

export type SideVerdict = { side: Direction } & (
  | { verdict: 'allowed'; decidedBy: RuleRef }
  /** `passed`: rules of cluster policies that leave it to others; `unmatched`: cluster policies of which no rule matches. */
  | { verdict: 'undeclared'; passMatches?: readonly PassMatch[]; unmatched?: readonly PolicyRef[] }
  /** A Deny rule matched; `notUnderstood` is the part of it for which it fails closed (rule 26). */
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

/** One of several connections that it may have been: which pod, endpoint or address was at an end is not known. */
export type Alternative = { initiator: Party; responder: Party; verdict: Verdict };

/** `undefinedByApi`: the protocol is none that NetworkPolicy speaks of (rule 11). Sides: egress, then ingress. */
export type Verdict = {
  verdict: VerdictName;
  sides: readonly SideVerdict[];
  undefinedByApi?: true;
  /** Set where the whole is unknown for a reason of no one side. */
  why?: UnknownReason;
  /** Those that `sides` are put together of, where they are several. */
  alternatives?: readonly Alternative[];
};

/** A side as scripts read it (docs/json.md); policies are texts like `NetworkPolicy shop/db`. */
export type SideJson = {
  side: Direction;
  verdict: VerdictName;
  decidedBy?: { tier: string; policy?: string; rule?: number; reason?: string };
  isolatedBy?: readonly string[];
  why: string;
  /** What would let a denied side pass. */
  needs?: string;
};
