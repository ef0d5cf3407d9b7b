// Protocols and ports of a cluster policy's rule: `protocols` in v1alpha2, `ports` in v1alpha1 (rules 25, 27).
import type { ClusterPort } from '../../model/kubernetes.ts';
import { parseProtocol, SCTP, TCP, UDP } from '../../model/protocol.ts';
import { endNotAboveStart, missingField, mixedPort } from './errors.ts';
import type { Field } from './field.ts';
import { portNumber } from './values.ts';

/** Valid, but the API does not say what it matches; `protocol` undefined: any. */
export type UndefinedPort = { undefinedFor: number | undefined };

/** `not-understood`: it has no known field, which is valid (rule 26). Undefined if it is invalid. */
export type PortRead = ClusterPort | UndefinedPort | 'not-understood' | undefined;

const protocols = { tcp: TCP, udp: UDP, sctp: SCTP };

/** An item of `protocols`, v1alpha2. The API server refuses an empty protocol, so `tcp: {}` does not mean every port. */
export function protocolMatch(field: Field): PortRead {
  const name = oneOf(field, ['tcp', 'udp', 'sctp', 'destinationNamedPort']);
  if (name === undefined || name === 'not-understood') return name;
  const value = field.at(name);
  if (name === 'destinationNamedPort') return named(value);
  const before = value.faultCount;
  const port = value.at('destinationPort');
  if (value.entries().length === 0) {
    if (value.faultCount === before) port.fault(missingField('destinationPort'));
    return undefined;
  }
  const within = oneOf(value, ['destinationPort']);
  if (within === undefined || within === 'not-understood') return within;
  const form = oneOf(port, ['number', 'range']);
  if (form === undefined || form === 'not-understood') return form;
  const of = { protocol: protocols[name] };
  if (form === 'range') return { ...of, ...range(port.at('range').only('start', 'end'), 'end-above-start') };
  return { ...of, ...single(port.at('number'), 'number') };
}

/** An item of `ports`, v1alpha1. */
export function portMatch(field: Field): PortRead {
  const name = oneOf(field, ['portNumber', 'portRange', 'namedPort']);
  if (name === undefined || name === 'not-understood') return name;
  const value = field.at(name);
  if (name === 'namedPort') return named(value);
  const of = anyProtocol(value.at('protocol'));
  if (name === 'portNumber') {
    const port = single(value.only('protocol', 'port').at('port'), 'port');
    return 'undefinedFor' in of ? of : { ...of, ...port };
  }
  const { port, endPort } = range(value.only('protocol', 'start', 'end'), 'any-order');
  if ('undefinedFor' in of) return of;
  if (port === undefined || endPort === undefined) return of;
  // The end should be above the start. One port is still a range; the reverse may mean nothing or the ports between them.
  return endPort < port ? { undefinedFor: of.protocol } : { ...of, port, endPort };
}

/** The CRDs of v1alpha1 accept any text. */
function anyProtocol(field: Field): { protocol: number } | UndefinedPort {
  const text = field.text();
  if (text === undefined || text === 'TCP') return { protocol: TCP };
  if (text === 'UDP' || text === 'SCTP') return { protocol: text === 'UDP' ? UDP : SCTP };
  return { undefinedFor: parseProtocol(text) };
}

/** The one known field that it has; several are a fault. */
function oneOf<Name extends string>(field: Field, known: readonly Name[]): Name | 'not-understood' | undefined {
  const before = field.faultCount;
  const given = known.filter((name) => field.at(name).given);
  if (field.faultCount > before) return undefined;
  if (given.length === 0) return 'not-understood';
  field.only(...known);
  if (given.length === 1) return given[0];
  field.fault(mixedPort(given));
  return undefined;
}

function named(field: Field): PortRead {
  const port = field.text();
  return port === undefined ? undefined : { port };
}

function single(field: Field, name: string): ClusterPort {
  if (!field.given) field.fault(missingField(name));
  const port = portNumber(field, name);
  return port === undefined ? {} : { port };
}

function range(field: Field, order: 'end-above-start' | 'any-order'): { port?: number; endPort?: number } {
  const [startField, endField] = [field.at('start'), field.at('end')];
  for (const [name, one] of Object.entries({ start: startField, end: endField })) {
    if (!one.given) one.fault(missingField(name));
  }
  const start = portNumber(startField, 'start');
  const end = portNumber(endField, 'end');
  if (start === undefined || end === undefined) return {};
  if (end <= start && order === 'end-above-start') endField.fault(endNotAboveStart(end, start));
  return { port: start, endPort: end };
}
