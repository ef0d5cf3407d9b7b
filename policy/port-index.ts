// The rules of all policies that isolate a pod, found by protocol and port: one array to look along, since most rules are
// of other ports, and to open each only to see that costs more than to judge.
import type { PolicyPort, PolicyRule } from '../model/kubernetes.ts';
import type { Flow, PolicyRef } from '../model/verdict.ts';
import type { Isolation } from './compile.ts';
import { portsMatch } from './ports.ts';

export type IndexedRule = { policy: PolicyRef; rule: number; policyRule: PolicyRule };

/** For each port of each rule, in their order: protocol, first and last port, place of its rule. */
export type PortIndex = { readonly entries: Int32Array; readonly rules: readonly IndexedRule[] };

export const entryWords = 4;
const everyProtocol = -1;
/** In the place of a first port: what the responder calls so. */
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

/** Whether the responder has a name for the port at all: where not, no entry goes by name. */
export function hasPortName({ protocol, port, responder }: Flow): boolean {
  if (responder.kind !== 'pod') return false;
  for (const one of responder.ports) if (one.port === port && one.protocol === protocol && one.name !== '') return true;
  return false;
}

/**
 * Whether the entry that begins at that word is of the port; protocols without ports need a rule of every protocol.
 * `named` is isNamed.
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
