// Problems with a question for a verdict. Each code is listed in docs/errors.md.
import type { Problem } from '../model/problem.ts';

export const verdictProblemCodes = [
  'bad-query',
  'bad-party',
  'unknown-party',
  'ambiguous-party',
  'service-begins-nothing',
  'not-a-pod',
  'bad-query-protocol',
  'bad-query-port',
  'unknown-port-name',
  'unknown-service-port',
] as const;

/** A Problem without its place. */
export type QuestionFault = { code: (typeof verdictProblemCodes)[number]; fault: string; fix: string };

export function problemAt(place: string, { code, fault, fix }: QuestionFault): Problem {
  return { code, place, fault, fix };
}

export function badQuery(fault: string): QuestionFault {
  return { code: 'bad-query', fault, fix: 'write one JSON object a line, with from, to, port and protocol' };
}

export function missingField(name: string): QuestionFault {
  return { code: 'bad-query', fault: `${name} is missing or not a string`, fix: `set ${name}` };
}

export function badParty(text: string): QuestionFault {
  return {
    code: 'bad-party',
    fault: text.includes('/')
      ? `${quote(text)} is not the name of a pod, workload or Service`
      : `${quote(text)} is not an IP address, nor a name with a namespace`,
    fix: 'write NAMESPACE/NAME, NAMESPACE/KIND/NAME or an IP address',
  };
}

export function unknownParty(text: string): QuestionFault {
  return {
    code: 'unknown-party',
    fault: `the manifests have no pod, workload or Service ${quote(text)}`,
    fix: 'correct the name, or add the manifest',
  };
}

export function ambiguousParty(text: string, candidates: readonly string[]): QuestionFault {
  return {
    code: 'ambiguous-party',
    fault: `${quote(text)} is ambiguous: ${candidates.slice(0, 4).join(' or ')}`,
    fix: 'write NAMESPACE/KIND/NAME',
  };
}

export function sharedAddress(text: string, owners: readonly string[]): QuestionFault {
  return {
    code: 'ambiguous-party',
    fault: `${quote(text)} is the address of ${owners.slice(0, 4).join(' and of ')}`,
    fix: 'name the pod, or remove the manifest of the old pod',
  };
}

export function serviceBeginsNothing(text: string): QuestionFault {
  return {
    code: 'service-begins-nothing',
    fault: `${quote(text)} is ${text.includes('/') ? '' : 'the address of '}a Service, and Services do not begin connections`,
    fix: 'name the pod that begins the connection',
  };
}

export function notAPod(text: string): QuestionFault {
  return {
    code: 'not-a-pod',
    fault: `${quote(text)} is not a pod or workload, and policies select only pods`,
    fix: 'name a pod or a workload of the manifests',
  };
}

export function badProtocol(text: string): QuestionFault {
  return {
    code: 'bad-query-protocol',
    fault: `unknown protocol ${quote(text)}`,
    fix: 'set TCP, UDP, SCTP, ICMP, ICMPv6 or a number from 0 to 255',
  };
}

export function portNeeded(protocol: string): QuestionFault {
  return {
    code: 'bad-query-port',
    fault: `${protocol} needs a port`,
    fix: 'set the port of the responder: a number or a port name',
  };
}

export function portNotAllowed(protocol: string): QuestionFault {
  return { code: 'bad-query-port', fault: `${protocol} has no ports`, fix: 'remove the port' };
}

export function badPort(text: string): QuestionFault {
  return {
    code: 'bad-query-port',
    fault: `invalid port ${quote(text)}`,
    fix: 'set a whole number from 1 to 65535, or a port name',
  };
}

export function unknownPortName(responder: string, protocol: string, name: string): QuestionFault {
  return {
    code: 'unknown-port-name',
    fault: `${responder} declares no ${protocol} port with the name ${quote(name)}`,
    fix: 'set the port number, or a name that its containers declare',
  };
}

export function unknownServicePort(service: string, protocol: string, port: string): QuestionFault {
  return {
    code: 'unknown-service-port',
    fault: `Service ${service} has no ${protocol} port ${quote(port)}`,
    fix: 'set a port of the Service',
  };
}

/** On one line, and short. */
function quote(text: string): string {
  const quoted = JSON.stringify(text);
  return quoted.length > 80 ? `${quoted.slice(0, 77)}...` : quoted;
}
