// What a user can get wrong in a question for a verdict. Each code is listed in docs/errors.md.
import type { Problem } from '../model/problem.ts';

export const verdictProblemCodes = [
  'bad-query',
  'bad-party',
  'unknown-party',
  'ambiguous-party',
  'service-begins-nothing',
  'bad-query-protocol',
  'bad-query-port',
  'unknown-port-name',
  'unknown-service-port',
] as const;

/** A Problem that does not know its place yet. */
export type Fault = { code: (typeof verdictProblemCodes)[number]; fault: string; mend: string };

export function at(place: string, { code, fault, mend }: Fault): Problem {
  return { code, place, fault, mend };
}

export function badQuery(fault: string): Fault {
  return { code: 'bad-query', fault, mend: 'write one JSON object a line, with from, to, port and protocol' };
}

export function missingField(name: string): Fault {
  return { code: 'bad-query', fault: `${name} is missing or no text`, mend: `set ${name}` };
}

export function badParty(text: string): Fault {
  return {
    code: 'bad-party',
    fault: `${shown(text)} names neither a pod, nor a workload, nor a Service, nor an IP address`,
    mend: 'write NAMESPACE/NAME, NAMESPACE/KIND/NAME or an IP address',
  };
}

export function unknownParty(text: string): Fault {
  return {
    code: 'unknown-party',
    fault: `there is no pod, workload or Service ${shown(text)} in the manifests`,
    mend: 'name one that is there, or add its manifest',
  };
}

export function ambiguousParty(text: string, candidates: readonly string[]): Fault {
  return {
    code: 'ambiguous-party',
    fault: `${shown(text)} may be ${candidates.slice(0, 4).join(' or ')}`,
    mend: 'write NAMESPACE/KIND/NAME',
  };
}

export function sharedAddress(text: string, owners: readonly string[]): Fault {
  return {
    code: 'ambiguous-party',
    fault: `${text} is the address of ${owners.slice(0, 4).join(' and of ')}`,
    mend: 'name the pod, or take the manifest of the old one out',
  };
}

export function serviceBeginsNothing(text: string): Fault {
  return {
    code: 'service-begins-nothing',
    fault: `${shown(text)} is ${text.includes('/') ? '' : 'the address of '}a Service, which begins no connections`,
    mend: 'name the pod that begins it',
  };
}

export function badProtocol(text: string): Fault {
  return {
    code: 'bad-query-protocol',
    fault: `${shown(text)} is no protocol`,
    mend: 'set TCP, UDP, SCTP, ICMP, ICMPv6 or a number from 0 to 255',
  };
}

export function portNeeded(protocol: string): Fault {
  return {
    code: 'bad-query-port',
    fault: `${protocol} needs the port of the responder`,
    mend: 'set a number or the name of one of its container ports',
  };
}

export function portNotWanted(protocol: string): Fault {
  return { code: 'bad-query-port', fault: `${protocol} has no ports`, mend: 'leave the port out' };
}

export function badPort(text: string): Fault {
  return {
    code: 'bad-query-port',
    fault: `${shown(text)} is no port`,
    mend: 'set a whole number from 1 to 65535 or the name of a container port',
  };
}

export function unknownPortName(responder: string, protocol: string, name: string): Fault {
  return {
    code: 'unknown-port-name',
    fault: `${responder} has no ${protocol} port named ${shown(name)}`,
    mend: 'set the number, or a name that its containers declare',
  };
}

export function unknownServicePort(service: string, protocol: string, port: string): Fault {
  return {
    code: 'unknown-service-port',
    fault: `Service ${service} has no ${protocol} port ${shown(port)}`,
    mend: 'set one of its ports',
  };
}

/** As the user wrote it, short and on one line. */
function shown(text: string): string {
  const quoted = /^[\w./:-]+$/.test(text) ? text : JSON.stringify(text);
  return quoted.length > 80 ? `${quoted.slice(0, 77)}...` : quoted;
}
