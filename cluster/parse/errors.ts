// Faults of a single object, from a file or the API server. Each code is listed in docs/errors.md.
import type { Problem } from '../../model/problem.ts';

export const parseProblemCodes = [
  'missing-field',
  'wrong-type',
  'unknown-field',
  'unknown-api-version',
  'unknown-kind',
  'bad-name',
  'bad-time',
  'bad-address',
  'bad-cidr',
  'except-outside-block',
  'unknown-protocol',
  'bad-port',
  'bad-port-name',
  'end-port-without-port',
  'end-port-below-port',
  'unknown-policy-type',
  'empty-peer',
  'mixed-peer',
  'empty-subject',
  'mixed-subject',
  'unknown-tier',
  'bad-priority',
  'bad-baseline-name',
  'unknown-action',
  'mixed-port',
  'end-not-above-start',
  'named-port-without-pods',
  'bad-domain-name',
  'names-need-accept',
  'too-long',
  'empty-list',
  'too-many-items',
  'duplicate-item',
  'unknown-operator',
  'operator-needs-values',
  'operator-takes-no-values',
  'bad-label-key',
  'bad-label-value',
  'more-problems',
] as const;

/** A Problem whose place is not known yet. */
export type Fault = { code: (typeof parseProblemCodes)[number]; fault: string; fix: string };

export function at(place: string, { code, fault, fix }: Fault): Problem {
  return { code, place, fault, fix };
}

export function missingField(name: string): Fault {
  return { code: 'missing-field', fault: `${name} is missing`, fix: `set ${name}` };
}

export function wrongType(value: unknown, wanted: string): Fault {
  return {
    code: 'wrong-type',
    fault: `${quoted(value)} is not ${wanted}`,
    fix: wanted === 'a string' ? stringAdvice(value) : `write ${wanted}`,
  };
}

/** The value may be written differently: an unquoted yes is true, and 010 is 8. */
function stringAdvice(value: unknown): string {
  if (typeof value === 'boolean') return 'put the value in quotes (unquoted yes, no, on and off are booleans)';
  return typeof value === 'number' ? 'put the value in quotes' : 'write a string';
}

export function unknownField(name: string, known: readonly string[]): Fault {
  return {
    code: 'unknown-field',
    fault: `unknown field ${quoted(name)}`,
    fix: `use ${known.length === 1 ? known[0] : `one of ${known.join(', ')}`}, or remove it`,
  };
}

export function unknownApiVersion(apiVersion: unknown, wanted: string): Fault {
  return {
    code: 'unknown-api-version',
    fault: `apiVersion ${quoted(apiVersion)} is not supported for this kind`,
    fix: `use ${wanted}`,
  };
}

/** For an API group whose kinds are all known. */
export function unknownKind(kind: unknown, group: string, known: readonly string[]): Fault {
  return {
    code: 'unknown-kind',
    fault: `unknown kind ${quoted(kind)} in API group ${group}`,
    fix: `use ${alternatives(known)}`,
  };
}

/** `label`: a single DNS label, without dots. */
export function badName(name: string, form: 'label' | 'subdomain'): Fault {
  const characters =
    form === 'label' ? '63 lower-case letters, digits and -' : '253 lower-case letters, digits, - and .';
  return {
    code: 'bad-name',
    fault: `invalid name ${quoted(name)}`,
    fix: `use at most ${characters}, with a letter or digit at both ends`,
  };
}

export function badTime(value: string): Fault {
  return { code: 'bad-time', fault: `invalid time ${quoted(value)}`, fix: 'use the form 2026-01-31T12:00:00Z' };
}

export function badAddress(value: string): Fault {
  return {
    code: 'bad-address',
    fault: `invalid IP address ${quoted(value)}`,
    fix: 'write an IPv4 or IPv6 address',
  };
}

export function badCidr(value: string): Fault {
  return {
    code: 'bad-cidr',
    fault: `invalid CIDR block ${quoted(value)}`,
    fix: 'use the form 10.0.0.0/8 or fd00::/8',
  };
}

export function exceptOutsideBlock(except: string, cidr: string): Fault {
  return {
    code: 'except-outside-block',
    fault: `except ${quoted(except)} is not a smaller block inside ${cidr}`,
    fix: 'use a smaller block inside it, or remove the exception',
  };
}

export function unknownProtocol(value: string): Fault {
  return { code: 'unknown-protocol', fault: `unknown protocol ${quoted(value)}`, fix: 'set TCP, UDP or SCTP' };
}

export function badPort(name: string, value: number): Fault {
  return {
    code: 'bad-port',
    fault: `${name} ${value} is out of range`,
    fix: 'set a port number from 1 to 65535',
  };
}

export function badPortName(value: string): Fault {
  const isNumber = /^\d+$/.test(value);
  return {
    code: 'bad-port-name',
    fault: `invalid port name ${quoted(value)}`,
    fix: isNumber
      ? `write ${value} without quotes for the port number`
      : 'use at most 15 lower-case letters, digits and single hyphens, with at least one letter',
  };
}

export function endPortWithoutPort(endPort: number, port: string | undefined): Fault {
  const given = port === undefined ? 'port is missing' : `port is ${quoted(port)}`;
  return {
    code: 'end-port-without-port',
    fault: `endPort ${endPort} needs a numeric port, and ${given}`,
    fix: 'set port to a number',
  };
}

export function endPortBelowPort(endPort: number, port: number): Fault {
  return {
    code: 'end-port-below-port',
    fault: `endPort ${endPort} is below port ${port}`,
    fix: `set ${port} or more`,
  };
}

export function unknownPolicyType(value: string): Fault {
  return {
    code: 'unknown-policy-type',
    fault: `unknown policy type ${quoted(value)}`,
    fix: 'set Ingress, Egress or both',
  };
}

export function tooManyPolicyTypes(count: number): Fault {
  return {
    code: 'too-many-items',
    fault: `policyTypes has ${count} items, more than 2`,
    fix: 'set Ingress, Egress or both, once each',
  };
}

export function emptyPeer(): Fault {
  return {
    code: 'empty-peer',
    fault: 'the peer is empty',
    fix: 'set podSelector, namespaceSelector or ipBlock, or remove the whole list to allow every peer',
  };
}

export function mixedPeer(): Fault {
  return {
    code: 'mixed-peer',
    fault: 'the peer has both ipBlock and a selector',
    fix: 'split it into two peers',
  };
}

/** For a cluster policy, whose peers have exactly one field each. */
export function peerWithSeveralFields(fields: readonly string[]): Fault {
  return {
    code: 'mixed-peer',
    fault: `the peer has ${fields.join(' and ')}`,
    fix: `split it into ${fields.length} peers`,
  };
}

export function emptySubject(): Fault {
  return {
    code: 'empty-subject',
    fault: 'the subject selects no pods',
    fix: 'set namespaces or pods (namespaces: {} selects every pod)',
  };
}

export function mixedSubject(): Fault {
  return {
    code: 'mixed-subject',
    fault: 'the subject has both namespaces and pods',
    fix: 'remove namespaces and set pods.namespaceSelector',
  };
}

export function unknownTier(value: string): Fault {
  return { code: 'unknown-tier', fault: `unknown tier ${quoted(value)}`, fix: 'set Admin or Baseline' };
}

export function badPriority(value: number): Fault {
  return {
    code: 'bad-priority',
    fault: `priority ${value} is out of range`,
    fix: 'set a whole number from 0 to 1000 (0 is evaluated first)',
  };
}

export function badBaselineName(name: string): Fault {
  return {
    code: 'bad-baseline-name',
    fault: `invalid BaselineAdminNetworkPolicy name ${quoted(name)}`,
    fix: 'name it default, the only name that Kubernetes allows',
  };
}

export function unknownAction(value: string, known: readonly string[]): Fault {
  return {
    code: 'unknown-action',
    fault: `unknown action ${quoted(value)}`,
    fix: `set ${alternatives(known)}`,
  };
}

export function mixedPort(fields: readonly string[]): Fault {
  return {
    code: 'mixed-port',
    fault: `${fields.join(' and ')} cannot be set together`,
    fix: `split them into ${fields.length} items`,
  };
}

export function endNotAboveStart(end: number, start: number): Fault {
  return {
    code: 'end-not-above-start',
    fault: `end ${end} is not above start ${start}`,
    fix: `set ${start + 1} or more, or use a single port number`,
  };
}

export function namedPortWithoutPods(name: string, peer: string): Fault {
  return {
    code: 'named-port-without-pods',
    fault: `port name ${quoted(name)} applies only to pods, and the rule has ${peer} as peers`,
    fix: 'use a port number, or move the pods to a separate rule',
  };
}

export function badDomainName(value: string): Fault {
  return {
    code: 'bad-domain-name',
    fault: `invalid domain name ${quoted(value)}`,
    fix: 'use the form example.com, or *.example.com for all names below it',
  };
}

export function namesNeedAccept(action: string, accept: string): Fault {
  return {
    code: 'names-need-accept',
    fault: `domainNames need action ${accept}, and the rule has ${quoted(action)}`,
    fix: `set action ${accept}, and deny other traffic in a later rule`,
  };
}

export function tooLong(field: string, length: number, max: number): Fault {
  return {
    code: 'too-long',
    fault: `${field} has ${length} characters, more than ${max}`,
    fix: `shorten it to ${max} characters`,
  };
}

export function emptyList(): Fault {
  return { code: 'empty-list', fault: 'the list is empty', fix: 'add at least one item' };
}

export function tooManyItems(count: number, max: number): Fault {
  return {
    code: 'too-many-items',
    fault: `the list has ${count} items, more than ${max}`,
    fix: 'split it across several rules or policies',
  };
}

export function duplicateItem(value: unknown): Fault {
  return { code: 'duplicate-item', fault: `duplicate item ${quoted(value)}`, fix: 'remove one of the two' };
}

export function unknownOperator(value: string): Fault {
  return {
    code: 'unknown-operator',
    fault: `unknown operator ${quoted(value)}`,
    fix: 'set In, NotIn, Exists or DoesNotExist',
  };
}

export function operatorNeedsValues(operator: string): Fault {
  return {
    code: 'operator-needs-values',
    fault: `operator ${operator} has no values`,
    fix: 'add at least one value',
  };
}

export function operatorTakesNoValues(operator: string): Fault {
  return { code: 'operator-takes-no-values', fault: `operator ${operator} takes no values`, fix: 'remove the values' };
}

export function badLabelKey(key: string): Fault {
  return {
    code: 'bad-label-key',
    fault: `invalid label key ${quoted(key)}`,
    fix: 'use NAME or DOMAIN/NAME, where NAME has at most 63 letters, digits, -, _ and .',
  };
}

export function badLabelValue(value: string): Fault {
  return {
    code: 'bad-label-value',
    fault: `invalid label value ${quoted(value)}`,
    fix: 'use at most 63 letters, digits, -, _ and ., with a letter or digit at both ends',
  };
}

export function moreProblems(count: number): Fault {
  return {
    code: 'more-problems',
    fault: count === 1 ? '1 more problem is not shown' : `${count} more problems are not shown`,
    fix: 'fix the problems above first',
  };
}

/** The value as the user wrote it, short and on one line. */
function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** `A, B or C` */
function alternatives(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
