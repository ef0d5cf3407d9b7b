// What can be wrong with an object, wherever it came from. Each code is listed in docs/errors.md.
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
export type Fault = { code: (typeof parseProblemCodes)[number]; fault: string; mend: string };

export function at(place: string, { code, fault, mend }: Fault): Problem {
  return { code, place, fault, mend };
}

export function missingField(name: string): Fault {
  return { code: 'missing-field', fault: `${name} is missing`, mend: `set ${name}` };
}

export function wrongType(value: unknown, wanted: string): Fault {
  const quoted = wanted === 'a text' && (typeof value === 'number' || typeof value === 'boolean');
  // `yes` is true, and 010 is 8: the value may have been written otherwise.
  return {
    code: 'wrong-type',
    fault: `${shown(value)} is not ${wanted}`,
    mend: quoted ? 'put what stands there in quotes' : `write ${wanted}`,
  };
}

export function unknownField(name: string, known: readonly string[]): Fault {
  return {
    code: 'unknown-field',
    fault: `${shown(name)} is not a field here`,
    mend: `use one of ${known.join(', ')}, or take it out`,
  };
}

export function unknownApiVersion(apiVersion: unknown, wanted: string): Fault {
  return {
    code: 'unknown-api-version',
    fault: `apiVersion ${shown(apiVersion)} is not served for this kind`,
    mend: `write it as ${wanted}`,
  };
}

/** Of an API group all of whose kinds are known. */
export function unknownKind(kind: unknown, group: string, known: readonly string[]): Fault {
  return {
    code: 'unknown-kind',
    fault: `${group} has no kind ${shown(kind)}`,
    mend: `write it as ${known.slice(0, -1).join(', ')} or ${known.at(-1)}`,
  };
}

export function badName(name: string): Fault {
  return { code: 'bad-name', fault: `${shown(name)} is not a name`, mend: 'use at most 253 letters, digits, - and .' };
}

export function badTime(value: string): Fault {
  return { code: 'bad-time', fault: `${shown(value)} is not a time`, mend: 'write it as 2026-01-31T12:00:00Z' };
}

export function badAddress(value: string): Fault {
  return { code: 'bad-address', fault: `${shown(value)} is not an IP address`, mend: 'write an IPv4 or IPv6 address' };
}

export function badCidr(value: string): Fault {
  return { code: 'bad-cidr', fault: `${shown(value)} is not a CIDR block`, mend: 'write it as 10.0.0.0/8 or fd00::/8' };
}

export function exceptOutsideBlock(except: string, cidr: string): Fault {
  return {
    code: 'except-outside-block',
    fault: `except ${except} is not a smaller block inside ${cidr}`,
    mend: `set a block inside ${cidr}, or take it out`,
  };
}

export function unknownProtocol(value: string): Fault {
  return { code: 'unknown-protocol', fault: `protocol ${shown(value)} is not known`, mend: 'set TCP, UDP or SCTP' };
}

export function badPort(name: string, value: number): Fault {
  return {
    code: 'bad-port',
    fault: `${name} ${value} is not a port number`,
    mend: 'set a whole number from 1 to 65535',
  };
}

export function badPortName(value: string): Fault {
  const number = /^\d+$/.test(value);
  return {
    code: 'bad-port-name',
    fault: `${shown(value)} is not a port name`,
    mend: number
      ? `write ${value} without quotes to mean the number`
      : 'use at most 15 lower case letters, digits and single -, with a letter among them',
  };
}

export function endPortWithoutPort(endPort: number, port: string | undefined): Fault {
  const fault =
    port === undefined ? 'has no port to begin at' : `cannot close a range that begins at the name ${shown(port)}`;
  return { code: 'end-port-without-port', fault: `endPort ${endPort} ${fault}`, mend: 'set port to a number' };
}

export function endPortBelowPort(endPort: number, port: number): Fault {
  return {
    code: 'end-port-below-port',
    fault: `endPort ${endPort} is below port ${port}`,
    mend: `set ${port} or more`,
  };
}

export function unknownPolicyType(value: string): Fault {
  return {
    code: 'unknown-policy-type',
    fault: `policy type ${shown(value)} is not known`,
    mend: 'set Ingress, Egress or both',
  };
}

export function emptyPeer(): Fault {
  return {
    code: 'empty-peer',
    fault: 'the peer names nobody',
    mend: 'set podSelector, namespaceSelector or ipBlock; leave the whole list out to mean everybody',
  };
}

export function mixedPeer(): Fault {
  return {
    code: 'mixed-peer',
    fault: 'the peer has ipBlock and a selector',
    mend: 'make two peers of it',
  };
}

/** Of a policy of the whole cluster, whose peers have exactly one field each. */
export function peerOfSeveral(fields: readonly string[]): Fault {
  return {
    code: 'mixed-peer',
    fault: `the peer has ${fields.join(' and ')}`,
    mend: `make ${fields.length} peers of it`,
  };
}

export function emptySubject(): Fault {
  return {
    code: 'empty-subject',
    fault: 'the subject names no pods',
    mend: 'set namespaces or pods; namespaces: {} means every pod',
  };
}

export function mixedSubject(): Fault {
  return {
    code: 'mixed-subject',
    fault: 'the subject has namespaces and pods',
    mend: 'keep pods alone, with its namespaceSelector',
  };
}

export function unknownTier(value: string): Fault {
  return { code: 'unknown-tier', fault: `tier ${shown(value)} is not known`, mend: 'set Admin or Baseline' };
}

export function badPriority(value: number): Fault {
  return {
    code: 'bad-priority',
    fault: `priority ${value} is not a whole number from 0 to 1000`,
    mend: 'set one, lower is first',
  };
}

export function badBaselineName(name: string): Fault {
  return {
    code: 'bad-baseline-name',
    fault: `a BaselineAdminNetworkPolicy cannot be named ${shown(name)}: a cluster has one`,
    mend: 'name it default',
  };
}

export function unknownAction(value: string, known: readonly string[]): Fault {
  return {
    code: 'unknown-action',
    fault: `action ${shown(value)} is not known here`,
    mend: `set ${known.slice(0, -1).join(', ')} or ${known.at(-1)}`,
  };
}

export function mixedPort(fields: readonly string[]): Fault {
  return {
    code: 'mixed-port',
    fault: `${fields.join(' and ')} stand together`,
    mend: `make ${fields.length} items of it`,
  };
}

export function endNotAboveStart(end: number, start: number): Fault {
  return {
    code: 'end-not-above-start',
    fault: `end ${end} is not above start ${start}`,
    mend: `set ${start + 1} or more, or a number instead of a range`,
  };
}

export function namedPortWithoutPods(name: string, peer: string): Fault {
  return {
    code: 'named-port-without-pods',
    fault: `port ${shown(name)} is a container port's name, and the rule has ${peer} among its peers`,
    mend: 'set the number, or make a rule of its own for pods',
  };
}

export function badDomainName(value: string): Fault {
  return {
    code: 'bad-domain-name',
    fault: `${shown(value)} is not a domain name`,
    mend: 'write it as example.com, or *.example.com for all names below it',
  };
}

export function namesNeedAccept(action: string, accept: string): Fault {
  return {
    code: 'names-need-accept',
    fault: `a rule with domainNames cannot ${action}`,
    mend: `set action ${accept}, and deny the rest in a rule behind it`,
  };
}

export function tooLong(field: string, length: number, most: number): Fault {
  return {
    code: 'too-long',
    fault: `${field} has ${length} characters, more than ${most}`,
    mend: `keep ${most} of them`,
  };
}

export function emptyList(): Fault {
  return { code: 'empty-list', fault: 'the list has no items', mend: 'give at least one' };
}

export function tooManyItems(count: number, most: number): Fault {
  return {
    code: 'too-many-items',
    fault: `the list has ${count} items, more than ${most}`,
    mend: 'spread them over several rules or policies',
  };
}

export function duplicateItem(value: unknown): Fault {
  return { code: 'duplicate-item', fault: `${shown(value)} stands in the list twice`, mend: 'keep one of them' };
}

export function unknownOperator(value: string): Fault {
  return {
    code: 'unknown-operator',
    fault: `operator ${shown(value)} is not known`,
    mend: 'set In, NotIn, Exists or DoesNotExist',
  };
}

export function operatorNeedsValues(operator: string): Fault {
  return {
    code: 'operator-needs-values',
    fault: `operator ${operator} has no values`,
    mend: 'give at least one value',
  };
}

export function operatorTakesNoValues(operator: string): Fault {
  return { code: 'operator-takes-no-values', fault: `operator ${operator} has values`, mend: 'take the values out' };
}

export function badLabelKey(key: string): Fault {
  return {
    code: 'bad-label-key',
    fault: `${shown(key)} is not a label key`,
    mend: 'use at most 63 letters, digits, -, _ and ., after an optional domain and /',
  };
}

export function badLabelValue(value: string): Fault {
  return {
    code: 'bad-label-value',
    fault: `${shown(value)} is not a label value`,
    mend: 'use at most 63 letters, digits, -, _ and ., with a letter or digit at both ends',
  };
}

export function moreProblems(count: number): Fault {
  return { code: 'more-problems', fault: `${count} more are not shown`, mend: 'mend those above first' };
}

/** The value as the user wrote it, short and on one line. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
