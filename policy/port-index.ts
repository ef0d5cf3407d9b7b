// An index by protocol and port of the rules of all policies that isolate a pod. It is one flat array, because most rules
// are for other ports, and reading each rule object to find that out costs more than the evaluation itself.
import type { PolicyPort, PolicyRule } from '../model/kubernetes.ts';
import type { Flow, PolicyRef } from '../model/verdict.ts';
import type { Isolation } from './compile.ts';
import { portsMatch } from './ports.ts';

export type IndexedRule = { policy: PolicyRef; rule: number; policyRule: PolicyRule };

/** Four words for each port of each rule, in order: protocol, first port, last port, index of the rule. */
export type PortIndex = { readonly entries: Int32Array; readonly rules: readonly IndexedRule[] };

export const entryWords = 4;
const everyProtocol = -1;
/** Instead of a first port: the port is a name. */
const byName = -3;
const withoutPort = -2;
const lastPort = 65_535;

export function portIndexOf(isolating: readonly Isolation[]): PortIndex {
  const entries: number[] = [];
  const rules: IndexedRule[] = [];
  for (const { policy, rules: policyRules } of isolating) {
    for (const [rule, policyRule] of policyRules.entries()) {
      const ruleIndex = rules.push({ policy, rule, policyRule }) - 1;
      if (policyRule.ports.length === 0) entries.push(everyProtocol, withoutPort, lastPort, ruleIndex);
      for (const port of policyRule.ports) entries.push(...rangeOf(port), ruleIndex);
    }
  }
  return { entries: Int32Array.from(entries), rules };
}

function rangeOf({ protocol, port, endPort }: PolicyPort): [protocol: number, first: number, last: number] {
  if (port === undefined) return [protocol, withoutPort, lastPort];
  return typeof port === 'string' ? [protocol, byName, byName] : [protocol, port, endPort ?? port];
}

/** Whether the responder has a name for the port. If it has none, no named entry matches. */
export function hasPortName({ protocol, port, responder }: Flow): boolean {
  if (responder.kind !== 'pod') return false;
  for (const one of responder.ports) if (one.port === port && one.protocol === protocol && one.name !== '') return true;
  return false;
}

/**
 * Whether the entry at `offset` matches the port of the flow. Protocols without ports need a rule for every protocol.
 * `hasName` is the result of `hasPortName`.
 */
export function entryMatches({ entries, rules }: PortIndex, offset: number, flow: Flow, hasName: boolean): boolean {
  const protocol = entries[offset]!;
  if (protocol === everyProtocol) return true;
  if (protocol !== flow.protocol) return false;
  const first = entries[offset + 1]!;
  if (first === byName) return hasName && portsMatch(rules[entries[offset + 3]!]!.policyRule.ports, flow) === 'yes';
  const port = flow.port ?? withoutPort;
  return first <= port && port <= entries[offset + 2]!;
}
