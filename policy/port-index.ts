// The rules of all policies that isolate a pod, found by protocol and port: one array to look along, since most rules are
// of other ports, and to open each only to see that costs more than to judge.
import type { PolicyPort, PolicyRule } from '../model/kubernetes.ts';
import type { Crossing, PolicyRef } from '../model/verdict.ts';
import type { Isolation } from './compile.ts';
import { portsMatch } from './ports.ts';

export type IndexedRule = { policy: PolicyRef; rule: number; of: PolicyRule };

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
  for (const { policy, rules: ofPolicy } of isolating) {
    for (const [rule, of] of ofPolicy.entries()) {
      const place = rules.push({ policy, rule, of }) - 1;
      if (of.ports.length === 0) entries.push(everyProtocol, withoutPort, lastPort, place);
      for (const port of of.ports) entries.push(...rangeOf(port), place);
    }
  }
  return { entries: Int32Array.from(entries), rules };
}

function rangeOf({ protocol, port, endPort }: PolicyPort): [protocol: number, first: number, last: number] {
  if (port === undefined) return [protocol, withoutPort, lastPort];
  return typeof port === 'string' ? [protocol, byName, byName] : [protocol, port, endPort ?? port];
}

/** Whether the responder has a name for the port at all: where not, no entry goes by name. */
export function isNamed({ protocol, port, responder }: Crossing): boolean {
  if (responder.kind !== 'pod') return false;
  for (const one of responder.ports) if (one.port === port && one.protocol === protocol && one.name !== '') return true;
  return false;
}

/**
 * Whether the entry that begins at that word is of the port; protocols without ports need a rule of every protocol.
 * `named` is isNamed.
 */
export function entryHolds({ entries, rules }: PortIndex, word: number, crossing: Crossing, named: boolean): boolean {
  const protocol = entries[word]!;
  if (protocol === everyProtocol) return true;
  if (protocol !== crossing.protocol) return false;
  const first = entries[word + 1]!;
  if (first === byName) return named && portsMatch(rules[entries[word + 3]!]!.of.ports, crossing) === 'yes';
  const port = crossing.port ?? withoutPort;
  return first <= port && port <= entries[word + 2]!;
}
