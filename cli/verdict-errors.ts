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
export type QuestionFault = { code: (typeof verdictProblemCodes)[number]; fault: string; fix: string };

export function problemAt(place: string, { code, fault, fix }: QuestionFault): Problem {
  return { code, place, fault, fix };
}

export function badQuery(fault: string): QuestionFault {
  return { code: 'bad-query', fault, fix: 'write one JSON object a line, with from, to, port and protocol' };
}

export function missingField(name: string): QuestionFault {
  return { code: 'bad-query', fault: `${name} is missing or no text`, fix: `set ${name}` };
}

export function badParty(text: string): QuestionFault {
  return {
    code: 'bad-party',
    fault: `${quote(text)} names neither a pod, nor a workload, nor a Service, nor an IP address`,
    fix: 'write NAMESPACE/NAME, NAMESPACE/KIND/NAME or an IP address',
  };
}

export function unknownParty(text: string): QuestionFault {
  return {
    code: 'unknown-party',
    fault: `there is no pod, workload or Service ${quote(text)} in the manifests`,
    fix: 'name one that is there, or add its manifest',
  };
}

export function ambiguousParty(text: string, candidates: readonly string[]): QuestionFault {
  return {
    code: 'ambiguous-party',
    fault: `${quote(text)} may be ${candidates.slice(0, 4).join(' or ')}`,
    fix: 'write NAMESPACE/KIND/NAME',
  };
}

export function sharedAddress(text: string, owners: readonly string[]): QuestionFault {
  return {
    code: 'ambiguous-party',
    fault: `${text} is the address of ${owners.slice(0, 4).join(' and of ')}`,
    fix: 'name the pod, or take the manifest of the old one out',
  };
}

export function serviceBeginsNothing(text: string): QuestionFault {
  return {
    code: 'service-begins-nothing',
    fault: `${quote(text)} is ${text.includes('/') ? '' : 'the address of '}a Service, which begins no connections`,
    fix: 'name the pod that begins it',
  };
}

export function badProtocol(text: string): QuestionFault {
  return {
    code: 'bad-query-protocol',
    fault: `${quote(text)} is no protocol`,
    fix: 'set TCP, UDP, SCTP, ICMP, ICMPv6 or a number from 0 to 255',
  };
}

export function portNeeded(protocol: string): QuestionFault {
  return {
    code: 'bad-query-port',
    fault: `${protocol} needs the port of the responder`,
    fix: 'set a number or the name of one of its container ports',
  };
}

export function portNotAllowed(protocol: string): QuestionFault {
  return { code: 'bad-query-port', fault: `${protocol} has no ports`, fix: 'leave the port out' };
}

export function badPort(text: string): QuestionFault {
  return {
    code: 'bad-query-port',
    fault: `${quote(text)} is no port`,
    fix: 'set a whole number from 1 to 65535 or the name of a container port',
  };
}

export function unknownPortName(responder: string, protocol: string, name: string): QuestionFault {
  return {
    code: 'unknown-port-name',
    fault: `${responder} has no ${protocol} port named ${quote(name)}`,
    fix: 'set the number, or a name that its containers declare',
  };
}

export function unknownServicePort(service: string, protocol: string, port: string): QuestionFault {
  return {
    code: 'unknown-service-port',
    fault: `Service ${service} has no ${protocol} port ${quote(port)}`,
    fix: 'set one of its ports',
  };
}

/** As the user wrote it, short and on one line. */
function quote(text: string): string {
  const quoted = /^[\w./:-]+$/.test(text) ? text : JSON.stringify(text);
  return quoted.length > 80 ? `${quoted.slice(0, 77)}...` : quoted;
}
